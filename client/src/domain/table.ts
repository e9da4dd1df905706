/** A facet's rows: what is shown, in which order. Pure; fed by `data/registers`. */
import { day, display } from "./format";
import { compareKeys, compareText, sortKey, type SortKey } from "./order";
import type { Column, FacetView } from "./schema";
import type { Value } from "./values";

export interface Row {
  readonly entity: string;
  readonly values: Readonly<Record<string, Value>>;
}

export interface Sort {
  readonly field: string;
  readonly descending: boolean;
}

/** By what tells one row from the next; what has a date stands in the order of its dates and times. */
export function defaultSort(facet: FacetView): readonly Sort[] {
  const lead = facet.columns.filter(({ field }, at) => (facet.lead.length > 0 ? facet.lead.includes(field) : at === 0));
  const dated = lead.some(({ type }) => DATES.has(type));
  const first = lead.filter(({ type }) => dated && (DATES.has(type) || type === "time"));
  return [...first, ...lead.filter((column) => !first.includes(column))].map(({ field }) => ({ field, descending: false }));
}

const DATES = new Set(["date", "datetime"]);

/** Rows are never changed in place, so their sort keys hold for as long as the sorting is the same. */
const keysOfRows = new WeakMap<Row, { readonly sorts: readonly Sort[]; readonly keys: readonly SortKey[] }>();

function keysOf(row: Row, sorts: readonly Sort[]): readonly SortKey[] {
  const known = keysOfRows.get(row);
  if (known?.sorts === sorts) return known.keys;
  const keys = sorts.map((sort) => sortKey(row.values[sort.field]));
  keysOfRows.set(row, { sorts, keys });
  return keys;
}

/** Sorted with blanks last; rows equal in every sort field keep their order of creation (the entity id). */
export function sortRows(rows: Iterable<Row>, sorts: readonly Sort[]): Row[] {
  const keyed = Array.from(rows, (row) => ({ row, keys: keysOf(row, sorts) }));
  keyed.sort((a, b) => {
    for (const [index, sort] of sorts.entries()) {
      const order = compareKeys(a.keys[index] as SortKey, b.keys[index] as SortKey, sort.descending);
      if (order !== 0) return order;
    }
    return compareText(a.row.entity, b.row.entity);
  });
  return keyed.map(({ row }) => row);
}

/** Rows in which every word of `filter` stands somewhere, in any column, whatever its case. */
export function filterRows(rows: readonly Row[], columns: readonly Column[], filter: string): readonly Row[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const text = columns.map((column) => display(row.values[column.field], column.type).toLowerCase()).join("\u0000");
    return words.every((word) => text.includes(word));
  });
}

/**
 * `{field}` in a facet's title template is replaced by the field's text, `{field:day}` by a date as people say it; an
 * entity with nothing to say shows its id.
 */
export function titleOf(facet: FacetView, row: Row): string {
  const types = new Map(facet.columns.map((column) => [column.field, column.type]));
  const title = facet.title
    .replace(/\{([^{}]+?)(:day)?\}/g, (_whole, field: string, asDay: string | undefined) => {
      const text = display(row.values[field], types.get(field) ?? "string");
      return asDay === undefined ? text : day(text);
    })
    .replace(/\s+/g, " ")
    .trim();
  const empty = facet.title.replace(/\{[^{}]+\}/g, "").replace(/\s+/g, " ").trim();
  return title === "" || title === empty ? row.entity : title;
}

const GIST_VALUES = 2;

/** What else stands in a row, for telling it from one that is called the same. */
export const gistOf = (facet: FacetView, row: Row): string =>
  facet.columns
    .filter(({ field }) => !facet.lead.includes(field))
    .map(({ field, type }) => display(row.values[field], type))
    .filter((text) => text !== "")
    .slice(0, GIST_VALUES)
    .join(" · ");
