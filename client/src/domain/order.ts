/**
 * Console order: numbers by their value (42 < 42.5 < 43), the text kept as it was typed (42.10 stays 42.10), letters
 * after the number (42 < 42A < 43), blanks last whichever way the column is sorted.
 */
import { isBlank, type Value } from "./values";

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const NUMBER_FIRST = /^\s*([+-]?\d+(?:\.\d+)?)(.*)$/s;

export interface SortKey {
  readonly blank: boolean;
  readonly number: number | null;
  readonly rest: string;
  readonly text: string;
}

export function sortKey(value: Value | undefined): SortKey {
  if (isBlank(value)) return { blank: true, number: null, rest: "", text: "" };
  if (typeof value === "number") return { blank: false, number: value, rest: "", text: String(value) };
  if (typeof value === "boolean") return { blank: false, number: value ? 1 : 0, rest: "", text: String(value) };
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const match = NUMBER_FIRST.exec(text);
  if (match === null) return { blank: false, number: null, rest: text, text };
  return { blank: false, number: Number(match[1]), rest: (match[2] ?? "").trim(), text };
}

/** Ascending; blanks aren't handled here, because their place doesn't depend on the direction. */
function compareFilled(a: SortKey, b: SortKey): number {
  if (a.number !== null && b.number !== null) {
    return a.number - b.number || collator.compare(a.rest, b.rest) || compareText(a.text, b.text);
  }
  if (a.number !== null) return -1;
  if (b.number !== null) return 1;
  return collator.compare(a.text, b.text) || compareText(a.text, b.text);
}

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function compareKeys(a: SortKey, b: SortKey, descending = false): number {
  if (a.blank || b.blank) return Number(a.blank) - Number(b.blank);
  const order = compareFilled(a, b);
  return descending ? -order : order;
}

export function compareValues(a: Value | undefined, b: Value | undefined): number {
  return compareKeys(sortKey(a), sortKey(b));
}

/**
 * The number for something new after `before` and ahead of `after`, with as few decimals as possible: 42, 43 → 42.5;
 * 42, 44 → 43; 42, nothing → 43. Null when the texts aren't numbers or leave no room within four decimals.
 */
export function numberBetween(before: string | null, after: string | null): string | null {
  const low = before === null ? 0 : plainNumber(before);
  if (low === null) return null;
  const high = after === null ? null : plainNumber(after);
  if (after !== null && high === null) return null;
  if (high === null || high <= low) return after === null ? String(Math.floor(low) + 1) : null;
  for (let decimals = 0; decimals <= 4; decimals += 1) {
    const scale = 10 ** decimals;
    const first = Math.floor(low * scale + 1e-6) + 1;
    const last = Math.ceil(high * scale - 1e-6) - 1;
    if (first > last) continue;
    const middle = Math.round(((low + high) / 2) * scale);
    return (Math.min(Math.max(middle, first), last) / scale).toFixed(decimals);
  }
  return null;
}

function plainNumber(text: string): number | null {
  return /^\s*\d+(?:\.\d+)?\s*$/.test(text) ? Number(text) : null;
}
