/** Conflicts as the page shows them. Pure: what to flag, what to call people, what each candidate says. */
import type { Bonds, Place } from "./bonds";
import { display } from "./format";
import type { Candidate, Conflict, Decision } from "./generated";
import { cellId } from "./keys";
import type { Column } from "./schema";
import type { Value } from "./values";

export type { Candidate, Conflict, Decision };

export const STATUSES = ["open", "resolved", "overtaken", "all"] as const;
export type StatusFilter = (typeof STATUSES)[number];

/** The facet of a conflict about a field of a concept. */
export const THING = "core.concept_entity";

/** As people go through them: sheet by sheet, row by row ("LX 5" before "LX 40"), each row's fields together. */
export const inReadingOrder = (conflicts: readonly Conflict[]): Conflict[] =>
  [...conflicts].sort(
    (a, b) =>
      natural.compare(a.facet, b.facet) ||
      natural.compare(a.title || a.sentence, b.title || b.sentence) ||
      natural.compare(a.label, b.label) ||
      natural.compare(a.id, b.id),
  );

const natural = new Intl.Collator("en", { numeric: true });

/**
 * Open conflicts by the cell they flag. One about a whole entity flags the entity: field "". One that isn't about a
 * facet (relations, what something was merged into) flags the entity wherever it stands: facet "" as well.
 */
export function flagsOf(conflicts: Iterable<Conflict>, bonds: Bonds, facets: ReadonlySet<string>): ReadonlyMap<string, Conflict> {
  const flags = new Map<string, Conflict>();
  for (const conflict of conflicts) {
    if (conflict.status !== "open") continue;
    for (const place of placesOf(conflict, bonds, facets)) flags.set(cellId(place.facet, place.entity, place.field), conflict);
  }
  return flags;
}

/** The flag of a cell; that of its entity stands on the cells which name the row. */
export function flagAt(flags: ReadonlyMap<string, Conflict>, facet: string, entity: string, field: string): Conflict | undefined {
  const own = flags.get(cellId(facet, entity, field));
  return field === "" ? (own ?? flags.get(cellId("", entity, ""))) : own;
}

/** The cells that a conflict is about. */
export function placesOf(conflict: Conflict, bonds: Bonds, facets: ReadonlySet<string>): Place[] {
  const { facet, field, kind } = conflict;
  if (facet === THING) return bonds.places(conflict.entity, field);
  return entitiesOf(conflict).map((id) => {
    const entity = bonds.survivor(id);
    if (facets.has(facet)) return { facet, entity, field };
    // What a facet of an entity belongs to: the field names that facet.
    if (kind === "cardinality" && facets.has(field)) return { facet: field, entity, field: "" };
    return { facet: "", entity, field: "" };
  });
}

/** A duplicate is about several entities: each candidate's `field` names one. */
function entitiesOf(conflict: Conflict): string[] {
  if (conflict.kind === "schema") return [];
  const entities = conflict.kind === "duplicate" ? conflict.candidates.map(subjectOf) : [conflict.entity];
  return entities.filter((entity) => entity !== "");
}

/** What deletes a row takes it out of its sheet as well: one act is told once. */
export const toldOnce = ({ kind, candidates }: Conflict): readonly Candidate[] =>
  candidates.filter(
    (one, index) =>
      kind !== "edit-delete" ||
      subjectOf(one) !== "" ||
      candidates.findIndex((other) => subjectOf(other) === "" && other.bundle === one.bundle) === index,
  );

/** Where one side of a disagreement about one thing was written: a candidate's `field` is `<facet>/<field>`. */
export function writtenIn(candidate: Candidate): { readonly facet: string; readonly field: string } | null {
  const [facet, field, ...rest] = subjectOf(candidate).split("/");
  return facet === undefined || field === undefined || rest.length > 0 ? null : { facet, field };
}

/** What a candidate is about where that isn't the conflict's own field: an entity of a duplicate, a field of a deletion. */
export const subjectOf = (candidate: Candidate): string => candidate.field ?? "";

/** False when no program kept the value: it can be named, but not chosen. */
export const isKept = (candidate: Candidate): boolean => candidate.known !== false;

/** Who it was, even where no name is known. */
export const nameOf = (name: string): string => name || "somebody";

/** Whether a person may give a value that nobody has set yet: not a definition, nor the id of a thing. */
export const takesOwnValue = (conflict: Conflict): boolean => !["schema", "cardinality"].includes(conflict.kind);

/** Whether one of the values may simply be taken. The other kinds are settled in their own words. */
export const offersValues = (conflict: Conflict): boolean =>
  !["duplicate", "edit-delete", "text-overlap"].includes(conflict.kind);

/** " · booth-mini"; a device known by its key alone by the start of it. */
export function deviceWords(device: string): string {
  if (device === "") return "";
  return /^[0-9a-f]{16,}$/.test(device) ? ` · device ${device.slice(0, 6)}` : ` · ${device}`;
}

/** True of the record by which somebody took a decision back: it joins nothing and decides nothing. */
export const takesBack = (decision: Decision): boolean => decision.withdrawn === true && decision.heads.length === 0;

/** The decisions, newest first. Who takes several back at once takes back once. */
export function decisionsOf({ resolutions }: Conflict): Decision[] {
  const told = resolutions.filter(
    (one, index) => !takesBack(one) || resolutions.findIndex((other) => takesBack(other) && other.bundle === one.bundle) === index,
  );
  return told.toReversed();
}

/** What opened a conflict again that had been decided. */
export function whyReopened({ resolutions }: Conflict): string {
  const last = resolutions.at(-1);
  return last !== undefined && takesBack(last) ? "the decision was taken back" : "reopened by a late edit";
}

/** Whether the field still shows what a decision had set that was taken back: none of the values to choose from. */
export const showsFormer = (conflict: Conflict): boolean =>
  conflict.status === "open" &&
  conflict.kind === "field" &&
  conflict.resolutions.some((decision) => decision.withdrawn === true) &&
  conflict.candidates.every(({ version }) => version !== conflict.shown);

/** A decision about a kind that isn't about choosing a value; null for the others. */
export function sayDecided(kind: Conflict["kind"], value: Value): string | null {
  switch (kind) {
    case "edit-delete":
      return value === true ? "Restored" : "Left as it was ended";
    case "text-overlap":
      return "Read and accepted";
    case "duplicate":
      return typeof value === "string" ? "All kept" : "Renumbered";
    default:
      return null;
  }
}

/** Definitions are whole records: people hear which version, or which fields. */
export function sayDefinition(value: Value): string {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return "none";
  const { version, order, fields } = value as { readonly [key: string]: Value };
  if (typeof version === "string") return `version ${version}`;
  const all = Object.entries(typeof fields === "object" && fields !== null ? fields : {});
  const first = Array.isArray(order) ? order : [];
  const place = (field: string): number => (first.includes(field) ? first.indexOf(field) : first.length);
  // A concept says what each field is, a binding which field it means.
  const said = all.sort(([a], [b]) => place(a) - place(b)).map(([field, meant]) => (typeof meant === "string" ? `${field} ↔ ${meant}` : field));
  return said.length > 0 ? said.join(", ") : "a definition";
}

/** A value in a conflict or a history. */
export function say(value: Value | undefined, column: Column | null): string {
  if (value === null || value === undefined || value === "") return "nothing";
  return display(value, column?.type ?? "string");
}

/** Candidates of one conflict, told apart by number, and who of them hadn't seen whom. */
export function unaware(candidate: Candidate, conflict: Conflict): string {
  const others = conflict.candidates.filter((other) => candidate.unaware_of.includes(other.version));
  if (others.length === 0) return "";
  const names = [...new Set(others.map((other) => `${nameOf(other.author)}’s ${other.value === null ? "clearing" : "value"}`))];
  return `hadn’t seen ${names.join(" and ")}`;
}
