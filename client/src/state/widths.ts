/** Column widths: from what stands in the columns at first, then as this person drags them, kept on this device. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { display } from "../domain/format";
import type { Column, FacetView } from "../domain/schema";
import type { Row } from "../domain/table";

const SAMPLE_ROWS = 300;
const CHAR_PX = 7.1;
/** Of the columns that stay in view. */
const BOLD_CHAR_PX = 8.2;
const PADDING_PX = 22;
const WIDTH_PX_MIN = 52;
const WIDTH_PX_MAX = 300;

type Widths = Readonly<Record<string, number>>;

const kept = new Map<string, ReturnType<typeof signal<Widths>>>();

function keptFor(facet: string): ReturnType<typeof signal<Widths>> {
  let widths = kept.get(facet);
  if (widths === undefined) {
    const text = localStorage.getItem(`openprod.widths/${facet}`);
    widths = signal<Widths>(text === null ? {} : (JSON.parse(text) as Widths));
    kept.set(facet, widths);
  }
  return widths;
}

export function columnWidths(facet: FacetView, rows: readonly Row[]): ReadonlySignal<readonly number[]> {
  const natural = facet.columns.map((column, index) =>
    naturalWidth(column, rows.slice(0, SAMPLE_ROWS), index < facet.frozen ? BOLD_CHAR_PX : CHAR_PX),
  );
  const own = keptFor(facet.name);
  return computed(() => facet.columns.map((column, index) => own.value?.[column.field] ?? natural[index] ?? WIDTH_PX_MIN));
}

/** Zero goes back to the natural width. */
export function keepWidth(facet: string, field: string, width: number): void {
  const own = keptFor(facet);
  const { [field]: _former, ...others } = own.value ?? {};
  own.value = width === 0 ? others : { ...others, [field]: width };
  localStorage.setItem(`openprod.widths/${facet}`, JSON.stringify(own.value));
}

/** Wide enough for nine in ten of the values and for the label. */
function naturalWidth(column: Column, rows: readonly Row[], charPx: number): number {
  const lengths = rows
    .map((row) => display(row.values[column.field], column.type).length)
    .filter((length) => length > 0)
    .sort((a, b) => a - b);
  const most = lengths[Math.floor(lengths.length * 0.9)] ?? 0;
  const characters = Math.max(most, column.label.length + 2);
  return Math.round(Math.min(WIDTH_PX_MAX, Math.max(WIDTH_PX_MIN, characters * charPx + PADDING_PX)));
}
