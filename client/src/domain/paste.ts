/** What pasting a block of text means for a sheet: which register gets which value, and what can't be taken. */
import { isEditable, parse } from "./format";
import type { Column } from "./schema";
import type { Range } from "./selection";
import type { Row } from "./table";
import type { Value } from "./values";

export interface CellWrite {
  /** Null: a row that doesn't exist yet, `row` lines below the last. */
  readonly entity: string | null;
  readonly row: number;
  readonly column: Column;
  readonly value: Value;
}

export interface Pasting {
  readonly writes: readonly CellWrite[];
  /** Sentences about cells that were left as they are. */
  readonly problems: readonly string[];
  /** Cells for which there was no column. */
  readonly beyond: number;
  readonly rows: number;
  readonly cols: number;
}

/** One cell pasted on a range fills it; a block starts at the range's corner and may run on into new rows. */
export function planPaste(
  cells: readonly (readonly string[])[],
  range: Range,
  rows: readonly Row[],
  columns: readonly Column[],
): Pasting {
  const single = cells.length === 1 && cells[0]?.length === 1;
  const height = single ? range.bottom - range.top + 1 : cells.length;
  const width = single ? range.right - range.left + 1 : Math.max(...cells.map((line) => line.length));
  const writes: CellWrite[] = [];
  const problems: string[] = [];
  let beyond = 0;
  for (let line = 0; line < height; line += 1) {
    for (let offset = 0; offset < width; offset += 1) {
      const text = single ? cells[0]?.[0] : cells[line]?.[offset];
      const column = columns[range.left + offset];
      if (text === undefined) continue;
      if (column === undefined) {
        if (text.trim() !== "") beyond += 1;
        continue;
      }
      const row = range.top + line;
      const entity = rows[row]?.entity ?? null;
      const taken = take(text, column);
      if (typeof taken === "string") problems.push(`${column.label}, row ${row + 1}: ${taken}`);
      else if (entity !== null || taken.value !== null) writes.push({ entity, row, column, value: taken.value });
    }
  }
  return { writes, problems, beyond, rows: height, cols: width };
}

function take(text: string, column: Column): { value: Value } | string {
  if (!isEditable(column)) return "this field isn’t edited in the sheet.";
  const parsed = parse(text, column);
  return parsed.ok ? { value: parsed.value } : parsed.message;
}
