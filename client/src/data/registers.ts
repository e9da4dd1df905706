/**
 * Facets as tables, read live from their document, and the one way to write registers.
 *
 * Nothing here calls Y.Map.delete: a deleted key leaves no version, so nobody could tell that a value was lost.
 */
import * as Y from "yjs";
import { parseKey, textRoot } from "../domain/keys";
import type { FacetView } from "../domain/schema";
import type { Row } from "../domain/table";
import type { RegisterChange } from "../domain/undo";
import { sameValue, type Value } from "../domain/values";
import { Entities } from "./identity";

/** The origin of this page's own transactions. */
export const LOCAL = { page: "own edit" };

export interface TableChange {
  /** Registers that others wrote, by root. */
  readonly others: ReadonlyMap<string, ReadonlySet<string>>;
}

interface Cells {
  marker: Value | undefined;
  values: Record<string, Value>;
}

/** The rows of one facet. `rows` is a new map after each change, and only changed rows are new objects. */
export class FacetTable {
  private readonly map: Y.Map<Value>;
  private readonly entities: Entities;
  private readonly unsubscribe: () => void;
  private readonly cells = new Map<string, Cells>();
  private readonly texts: string;
  private live = new Map<string, Row>();

  constructor(
    private readonly doc: Y.Doc,
    core: Y.Doc,
    private readonly facet: FacetView,
    private readonly onChange: (change: TableChange) => void,
  ) {
    this.map = doc.getMap<Value>(facet.name);
    this.entities = Entities.of(core);
    this.texts = `text:${facet.name}/`;
    for (const [key, value] of this.map.entries()) this.take(key, value);
    for (const name of doc.share.keys()) this.takeText(name);
    for (const entity of this.cells.keys()) this.refresh(entity);
    this.map.observe(this.onMap);
    this.unsubscribe = this.entities.subscribe((entities) => this.changed(entities, new Map()));
    doc.on("afterTransaction", this.onTransaction);
  }

  get rows(): ReadonlyMap<string, Row> {
    return this.live;
  }

  destroy(): void {
    this.map.unobserve(this.onMap);
    this.unsubscribe();
    this.doc.off("afterTransaction", this.onTransaction);
  }

  private readonly onMap = (event: Y.YMapEvent<Value>, transaction: Y.Transaction): void => {
    const entities = new Set<string>();
    for (const key of event.keysChanged as Set<string>) {
      const entity = this.take(key, this.map.get(key));
      if (entity !== null) entities.add(entity);
    }
    const others = transaction.origin === LOCAL ? [] : [[this.facet.name, event.keysChanged as Set<string>] as const];
    this.changed(entities, new Map(others));
  };

  private readonly onTransaction = (transaction: Y.Transaction): void => {
    const entities = new Set<string>();
    const others = new Map<string, Set<string>>();
    for (const type of transaction.changed.keys() as IterableIterator<Y.AbstractType<unknown>>) {
      if (type._item !== null) continue;
      const name = Y.findRootTypeKey(type);
      const entity = this.takeText(name);
      if (entity === null) continue;
      entities.add(entity);
      if (transaction.origin !== LOCAL) others.set(name, new Set([""]));
    }
    if (entities.size > 0) this.changed(entities, others);
  };

  private changed(entities: ReadonlySet<string>, others: ReadonlyMap<string, ReadonlySet<string>>): void {
    this.live = new Map(this.live);
    for (const entity of entities) this.refresh(entity);
    this.onChange({ others });
  }

  private cellsOf(entity: string): Cells {
    let cells = this.cells.get(entity);
    if (cells === undefined) this.cells.set(entity, (cells = { marker: undefined, values: {} }));
    return cells;
  }

  /** Take over one key; the entity it is of, or null for a key outside the grammar. */
  private take(key: string, value: Value | undefined): string | null {
    const parsed = parseKey(key);
    if (parsed === null) return null;
    const cells = this.cellsOf(parsed.entity);
    if (parsed.kind === "marker") cells.marker = value;
    else cells.values = { ...cells.values, [parsed.field]: value ?? null };
    return parsed.entity;
  }

  private takeText(name: string): string | null {
    if (!name.startsWith(this.texts)) return null;
    const [entity, field, ...rest] = name.slice(this.texts.length).split("/");
    if (entity === undefined || field === undefined || rest.length > 0) return null;
    const column = this.facet.columns.find((candidate) => candidate.field === field);
    if (column?.type !== "text") return null;
    const cells = this.cellsOf(entity);
    cells.values = { ...cells.values, [field]: this.doc.getText(name).toString() };
    return entity;
  }

  private refresh(entity: string): void {
    const cells = this.cells.get(entity);
    if (cells === undefined || !this.exists(entity, cells)) this.live.delete(entity);
    else this.live.set(entity, { entity, values: this.underPresentNames(cells.values) });
  }

  /** An outside program may make an entity by writing a field, and mark it with anything; a marker of null, or one that
   * was removed, ends it. */
  private exists(entity: string, { marker, values }: Cells): boolean {
    if (!this.entities.stands(entity)) return false;
    if (marker === undefined && !this.map._map.has(entity)) return Object.values(values).some((value) => value !== null);
    return marker !== undefined && marker !== null;
  }

  private underPresentNames(values: Record<string, Value>): Record<string, Value> {
    const renamed = this.facet.columns.filter((column) => column.was.length > 0 && (values[column.field] ?? null) === null);
    if (renamed.length === 0) return values;
    const result = { ...values };
    for (const column of renamed) {
      const old = column.was.find((key) => (values[key] ?? null) !== null);
      if (old !== undefined) result[column.field] = values[old] ?? null;
    }
    return result;
  }
}

export interface RegisterWrite {
  /** A facet's root with a key, or a text's root with the key "". */
  readonly root: string;
  readonly key: string;
  readonly value: Value;
  /** Earlier keys of the field (`was`): those that are there say the same from then on. */
  readonly earlier?: readonly string[];
}

/** Write registers as one transaction of this page. Gives what really changed; a write that changes nothing isn't one. */
export function writeRegisters(doc: Y.Doc, document: string, writes: readonly RegisterWrite[]): RegisterChange[] {
  const changes: RegisterChange[] = [];
  doc.transact(() => {
    for (const { root, key, value, earlier = [] } of writes) {
      const kept = earlier.filter((one) => doc.getMap<Value>(root).has(one));
      // What the field showed, under whichever of its keys: that is what undoing brings back.
      const shown = [key, ...kept].map((one) => readRegister(doc, root, one)).find((one) => one !== null) ?? null;
      const after = key === "" && value === null ? "" : value;
      for (const one of [key, ...kept]) {
        const before = one === key ? shown : readRegister(doc, root, one);
        if (sameValue(readRegister(doc, root, one), after) && (one === "" || doc.getMap<Value>(root).has(one))) continue;
        if (one === "") setText(doc.getText(root), String(after));
        else doc.getMap<Value>(root).set(one, after);
        changes.push({ document, root, key: one, before, after });
      }
    }
  }, LOCAL);
  return changes;
}

function readRegister(doc: Y.Doc, root: string, key: string): Value {
  return key === "" ? doc.getText(root).toString() : (doc.getMap<Value>(root).get(key) ?? null);
}

/** Only the part that differs is replaced, so that what others write elsewhere in the text stays untouched. */
function setText(text: Y.Text, wanted: string): void {
  const present = text.toString();
  let start = 0;
  while (start < present.length && start < wanted.length && present[start] === wanted[start]) start += 1;
  if (start > 0 && isHighSurrogate(present.charCodeAt(start - 1))) start -= 1;
  let end = 0;
  const most = Math.min(present.length, wanted.length) - start;
  while (end < most && present[present.length - 1 - end] === wanted[wanted.length - 1 - end]) end += 1;
  if (end > 0 && isLowSurrogate(present.charCodeAt(present.length - end))) end -= 1;
  const gone = present.length - start - end;
  if (gone > 0) text.delete(start, gone);
  if (wanted.length - start - end > 0) text.insert(start, wanted.slice(start, wanted.length - end));
}

const isHighSurrogate = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const isLowSurrogate = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;

/** Where a field's value lives: its key in the facet's map, or a text of its own. */
export function registerOf(facet: string, entity: string, field: string, type: string): { root: string; key: string } {
  return type === "text"
    ? { root: textRoot(facet, entity, field), key: "" }
    : { root: facet, key: `${entity}/${field}` };
}
