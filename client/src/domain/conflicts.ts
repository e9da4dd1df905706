/** Conflicts as the page shows them. Pure: what to flag, what to call people, what each candidate says. */
import { display } from "./format";
import type { Candidate, Conflict, Decision } from "./generated";
import { cellId } from "./keys";
import type { Column } from "./schema";
import type { Value } from "./values";

export type { Candidate, Conflict, Decision };

export const STATUSES = ["open", "resolved", "overtaken", "all"] as const;
export type StatusFilter = (typeof STATUSES)[number];

/** Open conflicts by the cell they flag. One about a whole entity flags the entity: field "". */
export function flagsOf(conflicts: Iterable<Conflict>): ReadonlyMap<string, Conflict> {
  const flags = new Map<string, Conflict>();
  for (const conflict of conflicts) {
    if (conflict.status !== "open") continue;
    for (const entity of entitiesOf(conflict)) flags.set(cellId(conflict.facet, entity, conflict.field), conflict);
  }
  return flags;
}

/** A duplicate is about several entities: each candidate's `field` names one. */
function entitiesOf(conflict: Conflict): string[] {
  const entities = conflict.kind === "duplicate" ? conflict.candidates.map(subjectOf) : [conflict.entity];
  return entities.filter((entity) => entity !== "");
}

/** What a candidate is about where that isn't the conflict's own field: an entity of a duplicate, a field of a deletion. */
export const subjectOf = (candidate: Candidate): string => candidate.field ?? "";

/** False when no program kept the value: it can be named, but not chosen. */
export const isKept = (candidate: Candidate): boolean => candidate.known !== false;

/** Who it was, even where no name is known. */
export const nameOf = (name: string): string => name || "somebody";

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
