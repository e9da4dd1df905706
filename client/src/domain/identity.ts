/** What people say about meaning and identity: forms turned into operations, and what the node says it would do. */
import type { Binding, Bonds, Concept, ConceptField, Rule } from "./bonds";
import type { Column, FacetView } from "./schema";
import { isBlank, type Value } from "./values";

export type Operation = { readonly op: string } & { readonly [key: string]: unknown };

export interface Suggestions {
  readonly concepts: readonly { readonly name: string; readonly fields: Readonly<Record<string, { readonly type: string; readonly label: string }>> }[];
  readonly bindings: readonly Binding[];
}

export type FieldState = "same" | "fills" | "differs" | "stays";

export interface SameField {
  readonly field: string;
  readonly state: FieldState;
  readonly values: readonly { readonly facet: string; readonly entity: string; readonly title: string; readonly value: Value }[];
}

export interface MergeField {
  readonly facet: string;
  readonly field: string;
  readonly label?: string;
  readonly survivor: Value;
  readonly absorbed: Value;
  readonly state: FieldState;
}

export interface MovingEdge {
  readonly edge: string;
  readonly label: string;
  readonly direction: "out" | "in";
  readonly title: string;
}

export interface MergePreview {
  readonly survivor: { readonly id: string; readonly title: string };
  readonly absorbed: { readonly id: string; readonly title: string };
  readonly fields: readonly MergeField[];
  readonly texts: readonly MergeField[];
  readonly attaches: readonly string[];
  readonly edges: readonly MovingEdge[];
}

export interface Proposal {
  readonly kind: "merge" | "assert";
  readonly about: string;
  readonly by: readonly string[];
  readonly values: readonly string[];
  readonly entities: readonly { readonly id: string; readonly title: string }[];
}

export const STATE_WORDS: Readonly<Record<FieldState, string>> = {
  same: "the same",
  fills: "will be filled in",
  differs: "they differ",
  stays: "stays with each",
};

/** What asserting does to one field, in words. */
export function sameWords({ state, values }: SameField): string {
  if (values.every(({ value }) => isBlank(value))) return "nothing yet";
  return values.length === 1 ? "only there" : STATE_WORDS[state];
}

// -- concepts ------------------------------------------------------------------------------------------------

/** Types that a field of a concept may have (whatever has one value), and what people call them. */
export const CONCEPT_TYPES: Readonly<Record<string, string>> = {
  string: "text",
  integer: "whole number",
  decimal: "number as written",
  number: "number",
  boolean: "yes or no",
  date: "date",
  time: "time",
  datetime: "date and time",
  duration: "duration",
  choice: "choice",
  color: "colour",
  reference: "reference",
  list: "list",
  blob: "file",
};

const UNBINDABLE = new Set(["text", "richtext"]);

/** One row of the form in which a concept is defined; one without a key isn't there. */
export interface FieldDraft {
  readonly field: string;
  readonly type: string;
  readonly label: string;
}

export interface ConceptDraft {
  readonly name: string;
  readonly label: string;
  readonly fields: readonly FieldDraft[];
}

const NAME = /^[A-Z][A-Za-z0-9]{0,62}$/;
const FIELD = /^[a-z][A-Za-z0-9_]{0,62}$/;

/** What is wrong with a definition, in a sentence; "" when it can be sent. */
export function faultOf(draft: ConceptDraft): string {
  const name = draft.name.trim();
  if (!NAME.test(name)) return "The name starts with a capital letter, then letters and digits: Person, CueList.";
  const fields = named(draft.fields);
  if (fields.length === 0) return "A concept has at least one field, such as name.";
  const odd = fields.find(({ field }) => !FIELD.test(field));
  if (odd !== undefined) return `“${odd.field}”: a field starts with a small letter, then letters, digits and _.`;
  const twice = fields.find(({ field }, at) => fields.findIndex((other) => other.field === field) !== at);
  return twice === undefined ? "" : `There are two fields “${twice.field}”.`;
}

export function defineOperation(draft: ConceptDraft): Operation {
  const fields = Object.fromEntries(named(draft.fields).map(({ field, type, label }) => [field, { type, label: label.trim() }]));
  return { op: "define_concept", concept: draft.name.trim(), label: draft.label.trim(), fields };
}

const named = (fields: readonly FieldDraft[]): FieldDraft[] =>
  fields.map((one) => ({ ...one, field: one.field.trim() })).filter(({ field }) => field !== "");

export const draftOf = (concept: Concept): ConceptDraft => ({
  name: concept.name,
  label: concept.label === concept.name ? "" : concept.label,
  fields: concept.fields.map(({ field, type, label }) => ({ field, type, label })),
});

/** Concepts that plugins suggest and nobody has defined. */
export function suggestedConcepts({ concepts }: Suggestions, bonds: Bonds): ConceptDraft[] {
  return concepts
    .filter(({ name }) => !bonds.concepts.has(name))
    .map(({ name, fields }) => ({ name, label: "", fields: Object.entries(fields).map(([field, one]) => ({ field, ...one })) }));
}

// -- bindings ------------------------------------------------------------------------------------------------

/** The columns that a field of a concept may be bound to. */
export const bindable = (facet: FacetView): Column[] => facet.columns.filter(({ type }) => !UNBINDABLE.has(type));

/** What the form starts with: the binding there is, or what the plugin suggests, or fields of the same name. */
export function startingFields(concept: Concept, facet: FacetView, bonds: Bonds, suggested: Binding | null): Record<string, string> {
  const present = bonds.bindings.get(facet.name);
  if (present?.concept === concept.name) return { ...present.fields };
  const own = new Set(concept.fields.map(({ field }) => field));
  const columns = new Set(bindable(facet).map(({ field }) => field));
  const pairs = suggested === null ? [...own].map((field): [string, string] => [field, field]) : Object.entries(suggested.fields);
  return Object.fromEntries(pairs.filter(([field, theirs]) => own.has(field) && columns.has(theirs)));
}

export function bindFault(fields: Readonly<Record<string, string>>, facet: FacetView): string {
  const chosen = Object.values(fields).filter((field) => field !== "");
  if (chosen.length === 0) return "Choose at least one field.";
  const twice = chosen.find((field, at) => chosen.indexOf(field) !== at);
  if (twice === undefined) return "";
  return `${facet.columns.find(({ field }) => field === twice)?.label ?? twice} can’t mean two fields of the concept.`;
}

export function bindOperation(facet: string, concept: string, fields: Readonly<Record<string, string>>): Operation {
  return { op: "bind_facet", facet, concept, fields: Object.fromEntries(Object.entries(fields).filter(([, theirs]) => theirs !== "")) };
}

/** Bindings that plugins suggest, to concepts that are defined, of facets that are free. */
export function suggestedBindings({ bindings }: Suggestions, concept: string, bonds: Bonds): Binding[] {
  return bindings.filter((binding) => binding.concept === concept && !bonds.bindings.has(binding.facet));
}

// -- identity ------------------------------------------------------------------------------------------------

export const sameOperation = (concept: string, entities: readonly string[], bonds: Bonds): Operation => ({
  op: "assert_same",
  concept,
  entities: distinct(entities, bonds),
});

/** Entities by which things can be named to the node: concept entities by what belongs to them, each once. */
export const distinct = (entities: readonly string[], bonds: Bonds): string[] => [
  ...new Set(entities.flatMap((id) => bonds.entities(id).map((entity) => bonds.survivor(entity)))),
];

/** How one differing field of a merge is settled: by one side's value, or later by people. */
export type Side = "survivor" | "absorbed" | "open";

export const sideKey = ({ facet, field }: Pick<MergeField, "facet" | "field">): string => `${facet}/${field}`;

export function mergeOperation(preview: MergePreview, sides: Readonly<Record<string, Side>>): Operation {
  const values: Record<string, Record<string, Value>> = {};
  for (const one of preview.fields) {
    const side = sides[sideKey(one)] ?? "open";
    if (one.state === "differs" && side !== "open") (values[one.facet] ??= {})[one.field] = one[side];
  }
  return { op: "merge_entities", survivor: preview.survivor.id, absorbed: preview.absorbed.id, values };
}

// -- rules ---------------------------------------------------------------------------------------------------

export const ruleOperation = (about: string, fields: Rule): Operation => ({ op: "set_rule", about, fields });

export function withSet(rule: Rule | undefined, set: readonly string[]): Rule {
  const same = (other: readonly string[]): boolean => [...other].sort().join("/") === [...set].sort().join("/");
  return [...(rule ?? []).filter((other) => !same(other)), set];
}

export const withoutSet = (rule: Rule | undefined, set: readonly string[]): Rule => (rule ?? []).filter((other) => other !== set);

/** What a rule may be about: concepts that something is bound to, and facets; with the fields to compare. */
export interface RuleSubject {
  readonly about: string;
  readonly label: string;
  readonly fields: readonly Pick<ConceptField, "field" | "label">[];
}
