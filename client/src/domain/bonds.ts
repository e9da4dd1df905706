/**
 * What means what and what is one thing, as the registers of `core` say it: definitions of concepts, bindings of
 * facets, memberships of entities. Pure; fed by `data/identity`.
 */
import { cellId } from "./keys";
import { noRedirects, type Redirects } from "./redirects";
import { humanise, type Column } from "./schema";
import type { Value } from "./values";

export interface ConceptField {
  readonly field: string;
  readonly type: string;
  readonly label: string;
}

export interface Concept {
  readonly name: string;
  readonly label: string;
  readonly fields: readonly ConceptField[];
}

export interface Binding {
  readonly facet: string;
  readonly concept: string;
  /** Field of the concept → field of the facet. */
  readonly fields: Readonly<Record<string, string>>;
}

export interface Member {
  readonly facet: string;
  readonly entity: string;
}

export interface Place extends Member {
  readonly field: string;
}

/** Sets of fields: entities equal in all fields of one set may be one. */
export type Rule = readonly (readonly string[])[];

/** The registers, as they stand in the roots `core.concept`, `core.binding`, `core.concept_entity` and `core.rule`. */
export interface IdentityRegisters {
  readonly concepts: Iterable<[string, Value]>;
  readonly bindings: Iterable<[string, Value]>;
  readonly things: Iterable<[string, Value]>;
  readonly rules: Iterable<[string, Value]>;
  readonly redirects: Redirects;
  /** A facet's field under its present key: a binding may name an earlier one. */
  readonly present?: (facet: string, field: string) => string;
}

/** "Thing": a concept entity, one real thing that several entities describe. */
export class Bonds {
  readonly concepts: ReadonlyMap<string, Concept>;
  readonly bindings: ReadonlyMap<string, Binding>;
  /** Concept entity → its concept. */
  readonly things: ReadonlyMap<string, string>;
  readonly rules: ReadonlyMap<string, Rule>;
  private readonly redirects: Redirects;
  /** `facet|entity|` → concept entity. */
  private readonly memberships = new Map<string, string>();
  private readonly byThing = new Map<string, Member[]>();

  constructor(registers: IdentityRegisters) {
    const read = <T>(entries: Iterable<[string, Value]>, one: (key: string, value: Value) => T | null): Map<string, T> =>
      new Map([...entries].flatMap(([key, value]) => withKey(key, one(key, value))));
    const bindings = [...registers.bindings];
    this.redirects = registers.redirects;
    this.concepts = new Map([...read(registers.concepts, readConcept)].sort(byKey));
    const present = registers.present ?? ((_facet, field) => field);
    this.bindings = new Map([...read(bindings, (key, value) => readBinding(key, value, present))].sort(byKey));
    this.things = read(registers.things, (key, value) => (!key.includes("/") && typeof value === "string" ? value : null));
    this.rules = read(registers.rules, (_key, value) => readRule(value));
    for (const [key, value] of bindings) this.learn(key, value);
    for (const members of this.byThing.values()) members.sort((a, b) => byKey([a.facet, 0], [b.facet, 0]) || byKey([a.entity, 0], [b.entity, 0]));
  }

  survivor(entity: string): string {
    return this.redirects.survivors.get(entity) ?? entity;
  }

  /** What was merged into an entity, by id. */
  absorbed(entity: string): readonly string[] {
    return this.redirects.absorbed.get(entity) ?? [];
  }

  bindingsOf(concept: string): Binding[] {
    return [...this.bindings.values()].filter((binding) => binding.concept === concept);
  }

  thingsOf(concept: string): string[] {
    return [...this.things].flatMap(([id, name]) => (name === concept ? [id] : [])).sort();
  }

  /** The concept entity that a facet of an entity belongs to. */
  owner(facet: string, entity: string): string | null {
    const binding = this.bindings.get(facet);
    if (binding === undefined || this.memberships.size === 0) return null;
    const survivor = this.survivor(entity);
    for (const id of [survivor, ...this.absorbed(survivor)]) {
      const owner = this.memberships.get(cellId(facet, id, ""));
      if (owner !== undefined && this.things.get(owner) === binding.concept) return owner;
    }
    return null;
  }

  /** What belongs to a concept entity: survivors, each once. */
  members(thing: string): Member[] {
    const found = new Map<string, Member>();
    for (const { facet, entity } of this.byThing.get(thing) ?? []) {
      const survivor = this.survivor(entity);
      if (this.owner(facet, survivor) === thing) found.set(cellId(facet, survivor, ""), { facet, entity: survivor });
    }
    return [...found.values()];
  }

  /** The concept entities that an entity's facets belong to. */
  belongsTo(entity: string): { readonly facet: string; readonly thing: string }[] {
    return [...this.bindings.keys()].flatMap((facet) => {
      const thing = this.owner(facet, entity);
      return thing === null ? [] : [{ facet, thing }];
    });
  }

  /** The cells that show one field of a concept entity. */
  places(thing: string, conceptField: string): Place[] {
    return this.members(thing).flatMap(({ facet, entity }) => {
      const field = this.bindings.get(facet)?.fields[conceptField];
      return field === undefined ? [] : [{ facet, entity, field }];
    });
  }

  /** The other cells that always show what this one does. */
  sharedWith({ facet, entity, field }: Place): Place[] {
    const binding = this.bindings.get(facet);
    const own = Object.entries(binding?.fields ?? {}).find(([, theirs]) => theirs === field)?.[0];
    const thing = own === undefined ? null : this.owner(facet, entity);
    if (own === undefined || thing === null || this.concepts.get(this.things.get(thing) ?? "")?.fields.every((one) => one.field !== own)) return [];
    return this.places(thing, own).filter((place) => place.facet !== facet || place.entity !== this.survivor(entity));
  }

  /** Entities to name where a concept entity is meant: a node takes no other for what is said to be one thing. */
  entities(id: string): string[] {
    return this.things.has(id) ? [...new Set(this.members(id).map(({ entity }) => entity))] : [id];
  }

  private learn(key: string, value: Value): void {
    const slash = key.indexOf("/");
    if (slash === -1 || typeof value !== "string" || value === "") return;
    const [entity, facet] = [key.slice(0, slash), key.slice(slash + 1)];
    this.memberships.set(cellId(facet, entity, ""), value);
    const members = this.byThing.get(value);
    if (members === undefined) this.byThing.set(value, [{ facet, entity }]);
    else members.push({ facet, entity });
  }
}

const withKey = <T>(key: string, value: T | null): [string, T][] => (value === null ? [] : [[key, value]]);
const byKey = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number => (a < b ? -1 : a > b ? 1 : 0);

/** Documents keep no order of keys: `order` says which fields come first, the others follow by their keys. */
function inOrder(fields: readonly ConceptField[], order: Value | undefined): ConceptField[] {
  const first = (Array.isArray(order) ? (order as readonly Value[]) : []).flatMap((name) => fields.find(({ field }) => field === name) ?? []);
  const others = fields.filter((field) => !first.includes(field)).sort((a, b) => byKey([a.field, 0], [b.field, 0]));
  return [...new Set([...first, ...others])];
}

type Json = { readonly [key: string]: Value };
const record = (value: Value | undefined): Json | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : null;
const text = (value: Value | undefined): string => (typeof value === "string" ? value : "");

/** Anybody may write anything there: what isn't a definition under its own name is passed over. */
function readConcept(key: string, value: Value): Concept | null {
  const found = record(value);
  if (found === null || found["name"] !== key) return null;
  const fields = Object.entries(record(found["fields"]) ?? {}).map(([field, declared]) => {
    const { type, label } = record(declared) ?? {};
    return { field, type: text(type) || "string", label: text(label) || humanise(field) };
  });
  return { name: key, label: text(found["label"]) || key, fields: inOrder(fields, found["order"]) };
}

/** One field can't carry two meanings: what it would carry is the first by name. */
function readBinding(key: string, value: Value, present: (facet: string, field: string) => string): Binding | null {
  const found = record(value);
  if (found === null || found["facet"] !== key || typeof found["concept"] !== "string") return null;
  const fields: Record<string, string> = {};
  for (const [own, theirs] of Object.entries(record(found["fields"]) ?? {}).sort(byKey)) {
    const field = typeof theirs === "string" ? present(key, theirs) : null;
    if (field !== null && !Object.values(fields).includes(field)) fields[own] = field;
  }
  return { facet: key, concept: found["concept"], fields };
}

function readRule(value: Value): Rule | null {
  if (!Array.isArray(value)) return null;
  const sets = (value as readonly Value[]).flatMap((set) =>
    Array.isArray(set) && set.length > 0 && set.every((field) => typeof field === "string") ? [set as readonly string[]] : [],
  );
  return sets.length > 0 ? sets : null;
}

/** A concept's field as a column, for typing and showing its values. */
export const columnOf = ({ field, type, label }: ConceptField): Column => ({
  field, label, type: type === "choice" ? "string" : type, unit: "", required: false, choices: [], description: "", was: [], private: false,
}); // prettier-ignore

export const noBonds = new Bonds({ concepts: [], bindings: [], things: [], rules: [], redirects: noRedirects });
