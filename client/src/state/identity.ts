/** Things and their names, read live from the documents; and sending the node what people say about them. */
import { ApiError } from "../data/api";
import { columnOf, type Bonds, type ConceptField, type Member, type Place } from "../domain/bonds";
import { display } from "../domain/format";
import type { Operation } from "../domain/identity";
import { fullLabel, type FacetView } from "../domain/schema";
import { titleOf, type Row } from "../domain/table";
import { isBlank, type Value } from "../domain/values";
import { tell } from "./notices";
import type { Production } from "./production";

export const problemOf = (error: unknown): string => (error instanceof ApiError ? `${error.message} ${error.hint}`.trim() : String(error));

/** Send operations as one bundle. Gives what went wrong, "" when it is done and said. */
export async function commit(production: Production, operations: readonly Operation[], message: string, done: string): Promise<string> {
  try {
    const { bundle, conflicts } = await production.api.commit(operations, message);
    const open = conflicts.length === 1 ? "One conflict to decide" : `${conflicts.length} conflicts to decide`;
    tell(bundle === "" ? "Nothing had to be changed." : conflicts.length === 0 ? done : `${done} ${open}: see Conflicts.`);
    return "";
  } catch (error) {
    return problemOf(error);
  }
}

/** "Jane Doe"; the id of what isn't there (any more). */
export function titleOfEntity(production: Production, facet: FacetView, entity: string): string {
  return titleOf(facet, production.rowsOf(facet).value.get(entity) ?? { entity, values: {} });
}

/** "Schedule: Attendee Jane Doe" */
export function nameOfMember(production: Production, { facet, entity }: Member): string {
  const view = production.facet(facet);
  return view === null ? `${facet} ${entity}` : `${fullLabel(view)} ${titleOfEntity(production, view, entity)}`;
}

const NAMED_MAX = 3;

/** "shared with Schedule: Attendee J. Smith"; null where nothing else shows the cell's value. */
export function sharedWords(production: Production, bonds: Bonds, place: Place): string | null {
  const others = bonds.sharedWith(place);
  if (others.length === 0) return null;
  const more = others.length > NAMED_MAX ? ` and ${others.length - NAMED_MAX} more` : "";
  return `shared with ${others.slice(0, NAMED_MAX).map((other) => nameOfMember(production, other)).join(", ")}${more}`;
}

/** The facets in which an entity has a row. */
export const facetsOf = (production: Production, entity: string): FacetView[] =>
  production.info.facets.filter((facet) => production.rowsOf(facet).value.has(entity));

/** How people call any entity or concept entity. */
export function nameOfAny(production: Production, id: string): string {
  if (production.bonds.value.things.has(id)) return nameOfThing(production, id);
  const entity = production.bonds.value.survivor(id);
  const [facet] = facetsOf(production, entity);
  return facet === undefined ? id : nameOfMember(production, { facet: facet.name, entity });
}

export const valueAt = (production: Production, { facet, entity, field }: Place): Value => {
  const view = production.facet(facet);
  return (view === null ? null : production.rowsOf(view).value.get(entity)?.values[field]) ?? null;
};

/** The canonical value; until people have chosen, the first of those that its bound fields show. */
export function valueOfThing(production: Production, thing: string, field: string): Value {
  const own = production.canonical.value.get(`${thing}/${field}`) ?? null;
  if (own !== null) return own;
  const shown = production.bonds.value.places(thing, field).map((place) => valueAt(production, place));
  return shown.find((value) => value !== null) ?? null;
}

export const fieldsOfThing = (production: Production, thing: string): readonly ConceptField[] =>
  production.bonds.value.concepts.get(production.bonds.value.things.get(thing) ?? "")?.fields ?? [];

/** Its name, or else its first value. */
export function nameOfThing(production: Production, thing: string): string {
  const fields = fieldsOfThing(production, thing);
  const named = fields.filter(({ field }) => field === "name");
  for (const field of [...named, ...fields]) {
    const value = valueOfThing(production, thing, field.field);
    if (!isBlank(value)) return display(value, columnOf(field).type);
  }
  return thing;
}

export interface Found extends Member {
  readonly title: string;
}

const FOUND_MAX = 8;

/** Rows of some facets that hold every word: those with them in the title first, then those with them anywhere. */
export function findRows(production: Production, facets: readonly FacetView[], text: string, without: readonly string[]): Found[] {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return [];
  const left = new Set(without);
  const found: Found[] = [];
  const take = (said: (facet: FacetView, row: Row, title: string) => string): void => {
    for (const facet of facets) {
      for (const row of production.rowsOf(facet).value.values()) {
        if (found.length >= FOUND_MAX) return;
        if (left.has(row.entity)) continue;
        const title = titleOf(facet, row);
        const all = said(facet, row, title).toLowerCase();
        if (!words.every((word) => all.includes(word))) continue;
        left.add(row.entity);
        found.push({ facet: facet.name, entity: row.entity, title });
      }
    }
  };
  take((_facet, _row, title) => title);
  take(({ columns }, row) => columns.map(({ field, type }) => display(row.values[field], type)).join("\u0000"));
  return found;
}
