/** What the document `core` says of identity, kept up to date: who stands for whom, what means what, what is one thing. */
import type * as Y from "yjs";
import { Bonds, type IdentityRegisters } from "../domain/bonds";
import { followRedirects, noRedirects, type Redirects } from "../domain/redirects";
import type { Value } from "../domain/values";

const REDIRECT = "/redirect";

/** Which entities are gone or stand for others. One for all tables of a workspace. */
export class Entities {
  redirects: Redirects = noRedirects;
  private readonly map: Y.Map<Value>;
  private readonly targets = new Map<string, string>();
  private readonly listeners = new Set<(entities: ReadonlySet<string>) => void>();

  private constructor(core: Y.Doc) {
    this.map = core.getMap<Value>("core.entity");
    for (const key of this.map.keys()) this.take(key);
    this.redirects = followRedirects(this.targets);
    this.map.observe(this.onChange);
  }

  private static readonly known = new WeakMap<Y.Doc, Entities>();

  static of(core: Y.Doc): Entities {
    let found = Entities.known.get(core);
    if (found === undefined) Entities.known.set(core, (found = new Entities(core)));
    return found;
  }

  /** Neither deleted (its marker may also have been removed, by an outside program) nor merged into another. */
  stands(entity: string): boolean {
    return !(this.map._map.has(entity) && (this.map.get(entity) ?? null) === null) && !this.redirects.survivors.has(entity);
  }

  /** Called with the entities that may stand or not stand now. Gives the way to end it. */
  subscribe(listener: (entities: ReadonlySet<string>) => void): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }

  private take(key: string): boolean {
    if (!key.endsWith(REDIRECT)) return false;
    const entity = key.slice(0, -REDIRECT.length);
    const target = this.map.get(key);
    const before = this.targets.get(entity);
    if (typeof target === "string" && target !== entity && target !== "" && !target.includes("/")) this.targets.set(entity, target);
    else this.targets.delete(entity);
    return this.targets.get(entity) !== before;
  }

  private readonly onChange = (event: Y.YMapEvent<Value>): void => {
    const entities = new Set<string>();
    let moved = false;
    for (const key of event.keysChanged as Set<string>) {
      if (!key.includes("/")) entities.add(key);
      else moved = this.take(key) || moved;
    }
    if (moved) {
      const before = this.redirects.survivors;
      this.redirects = followRedirects(this.targets);
      const now = this.redirects.survivors;
      for (const id of [...before.keys(), ...now.keys()]) if (before.get(id) !== now.get(id)) entities.add(id);
    }
    if (entities.size > 0) for (const listener of this.listeners) listener(entities);
  };
}

/** What `core` says of concepts. `onChange` also when only a value changed. */
export class Identity {
  bonds: Bonds;
  /** `<concept entity>/<field>` → canonical value. */
  canonical: ReadonlyMap<string, Value> = new Map();
  private readonly entities: Entities;
  private followed: Redirects = noRedirects;

  constructor(
    private readonly core: Y.Doc,
    private readonly present: NonNullable<IdentityRegisters["present"]>,
    private readonly onChange: (what: { readonly bonds: boolean }) => void,
  ) {
    this.entities = Entities.of(core);
    this.bonds = this.read();
    this.readValues();
    const structure = (): void => this.changed(true);
    for (const root of ["core.concept", "core.binding", "core.rule"]) core.getMap(root).observe(structure);
    this.entities.subscribe(() => {
      if (this.entities.redirects !== this.followed) structure();
    });
    core.getMap<Value>("core.concept_entity").observe((event) => {
      this.readValues();
      this.changed([...(event.keysChanged as Set<string>)].some((key) => !key.includes("/")));
    });
  }

  private changed(bonds: boolean): void {
    if (bonds) this.bonds = this.read();
    this.onChange({ bonds });
  }

  private read(): Bonds {
    this.followed = this.entities.redirects;
    const entries = (root: string): Iterable<[string, Value]> => this.core.getMap<Value>(root).entries();
    return new Bonds({
      concepts: entries("core.concept"),
      bindings: entries("core.binding"),
      things: entries("core.concept_entity"),
      rules: entries("core.rule"),
      redirects: this.followed,
      present: this.present,
    });
  }

  private readValues(): void {
    this.canonical = new Map([...this.core.getMap<Value>("core.concept_entity").entries()].filter(([key]) => key.includes("/")));
  }
}
