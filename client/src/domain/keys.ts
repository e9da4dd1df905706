/**
 * The key grammar of a facet's root map: `<entity>` is the marker (true attached, null detached),
 * `<entity>/<field>` is a field's register.
 */
export type RegisterKey =
  | { readonly kind: "marker"; readonly entity: string }
  | { readonly kind: "field"; readonly entity: string; readonly field: string };

export const markerKey = (entity: string): string => entity;
export const fieldKey = (entity: string, field: string): string => `${entity}/${field}`;

const NAME = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/;
// oxlint-disable-next-line no-control-regex -- the grammar excludes control characters
const ID = /^[^/\u0000-\u001f\u007f-\u009f\u2028\u2029\ud800-\udfff]+$/u;
const ID_BYTES_MAX = 200;
const bytes = new TextEncoder();

const isName = (text: string): boolean => NAME.test(text);
const isId = (text: string): boolean =>
  text.length <= ID_BYTES_MAX && ID.test(text) && bytes.encode(text).length <= ID_BYTES_MAX;

/** Null for a key outside the grammar: an outside program may write anything, and the page passes over it. */
export function parseKey(key: string): RegisterKey | null {
  const slash = key.indexOf("/");
  const entity = slash === -1 ? key : key.slice(0, slash);
  if (!isId(entity)) return null;
  if (slash === -1) return { kind: "marker", entity };
  const field = key.slice(slash + 1);
  return isName(field) ? { kind: "field", entity, field } : null;
}

/** The root name of a collaborative text field. */
export const textRoot = (facet: string, entity: string, field: string): string => `text:${facet}/${entity}/${field}`;

/** `plugin.facet` → the document that holds it. */
export const documentOf = (facet: string): string => facet.slice(0, facet.indexOf("."));

/** One name for a cell, for sets and maps. */
export const cellId = (facet: string, entity: string, field: string): string => `${facet}|${entity}|${field}`;
