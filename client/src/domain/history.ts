/** The history of an entity as `GET /history/{entity}` tells it, turned into what a person reads. */
import { nameOf } from "./conflicts";
import type { Value } from "./values";

export interface HistoryVersion {
  readonly version: string;
  readonly value: Value;
  readonly author: string;
  readonly device: string;
  readonly at: string;
  readonly bundle: string;
  readonly message: string;
  readonly parent: string | null;
  readonly status: string;
  readonly knowing: readonly string[];
  /** False when no program kept the value. */
  readonly known?: boolean;
  /** Set by a decision about a conflict. */
  readonly decision?: boolean;
}

export interface HistoryField {
  readonly facet: string;
  readonly field: string;
  readonly label: string;
  readonly versions: readonly HistoryVersion[];
}

export interface History {
  readonly entity: string;
  readonly title: string;
  readonly fields: readonly HistoryField[];
}

const STATUS_WORDS: Readonly<Record<string, string>> = {
  shown: "shown now",
  head: "disagrees, not shown",
  overwritten: "replaced",
  lost: "lost, never seen by the one who won",
  resolved: "settled by a decision",
  merged: "in the text with the others’ changes",
};

export const statusWords = (status: string): string => STATUS_WORDS[status] ?? status;

/** Newest first; fields with the newest change first. */
export function newestFirst(fields: readonly HistoryField[]): HistoryField[] {
  const sorted = fields.filter(({ versions }) => versions.length > 0).map((field) => ({ ...field, versions: [...field.versions].sort((a, b) => later(a, b)) }));
  return sorted.sort((a, b) => (a.versions[0] && b.versions[0] ? later(a.versions[0], b.versions[0]) : 0));
}

const later = (a: HistoryVersion, b: HistoryVersion): number => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0);

/** What its author knew: "knowing Alex’s 10:30", "knowing no other value". */
export function knowingWords(version: HistoryVersion, field: HistoryField, say: (version: HistoryVersion) => string): string {
  const known = field.versions.filter((other) => version.knowing.includes(other.version));
  if (known.length === 0) return version.parent === null ? "the first value" : "knowing no other value";
  const last = [...known].sort(later).slice(0, 3);
  const more = known.length > last.length ? `, and ${known.length - last.length} before` : "";
  return `knowing ${last.map((other) => `${nameOf(other.author)}’s ${say(other)}`).join(", ")}${more}`;
}
