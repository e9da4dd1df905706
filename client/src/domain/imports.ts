/** Files of other programs, and what importing one would change. */
import type { Value } from "./values";

export interface Importer {
  /** `plugin.format` */
  readonly name: string;
  readonly label: string;
  /** Patterns of file names: `*.csv`. */
  readonly files: readonly string[];
}

/** A field of what is there already. */
export interface FieldChange {
  readonly entity: string;
  readonly title: string;
  readonly facet: string;
  readonly field: string;
  readonly label: string;
  readonly before: Value;
  readonly after: Value;
}

export interface ImportPlan {
  readonly operations: readonly unknown[];
  readonly summary: readonly string[];
  readonly skipped: readonly { readonly where: string; readonly why: string }[];
  readonly changes: readonly FieldChange[];
  readonly changes_count: number;
  /** Of all that it would do. */
  readonly digest: string;
}

/** The first that says it reads files of such a name, else the first. */
export function suited(importers: readonly Importer[], name: string): Importer | null {
  const lower = name.toLowerCase();
  const reads = (pattern: string): boolean => lower.endsWith(pattern.replace(/^\*/, "").toLowerCase());
  return importers.find(({ files }) => files.some(reads)) ?? importers[0] ?? null;
}
