/** Where the cursor is in a sheet, and how keys move it. Rows and columns count from 0 in the order shown. */

export interface Cell {
  readonly row: number;
  readonly col: number;
}

/**
 * `active` is the cell that typing goes to. `anchor` and `head` are opposite corners of the range; without a range all
 * three are the same cell. Tab and Enter move `active` round inside a range that stays.
 */
export interface Selection {
  readonly active: Cell;
  readonly anchor: Cell;
  readonly head: Cell;
}

export interface Range {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

export interface Extent {
  readonly rows: number;
  readonly cols: number;
  /** Rows that fit in the window: how far PageDown goes. */
  readonly page: number;
}

export type Move = "up" | "down" | "left" | "right" | "pageUp" | "pageDown" | "rowStart" | "rowEnd" | "top" | "bottom" | "first" | "last";

export const at = (row: number, col: number): Selection => whole({ row, col });

const whole = (cell: Cell): Selection => ({ active: cell, anchor: cell, head: cell });

export function rangeOf({ anchor, head }: Selection): Range {
  return {
    top: Math.min(anchor.row, head.row),
    bottom: Math.max(anchor.row, head.row),
    left: Math.min(anchor.col, head.col),
    right: Math.max(anchor.col, head.col),
  };
}

export const isRange = ({ anchor, head }: Selection): boolean => anchor.row !== head.row || anchor.col !== head.col;

/** The range from the active cell to `cell`, as Shift with an arrow or a click makes it. */
export const extendTo = ({ active }: Selection, cell: Cell): Selection => ({ active, anchor: active, head: cell });

export const contains = (range: Range, row: number, col: number): boolean =>
  row >= range.top && row <= range.bottom && col >= range.left && col <= range.right;

export function clamp({ active, anchor, head }: Selection, extent: Extent): Selection {
  return { active: inside(active, extent), anchor: inside(anchor, extent), head: inside(head, extent) };
}

/** Move the cursor, or with `extend` the far corner of the range. Never leaves the sheet. */
export function move(selection: Selection, way: Move, extent: Extent, extend = false): Selection {
  const to = inside(step(extend ? selection.head : selection.active, way, extent), extent);
  return extend ? extendTo(selection, to) : whole(to);
}

/** Tab and Enter inside a range go round it; without one they go to the next cell, Tab wrapping to the next row. */
export function advance(selection: Selection, by: "tab" | "enter", back: boolean, extent: Extent): Selection {
  if (isRange(selection)) return { ...selection, active: cycle(selection, by, back) };
  const { row, col } = selection.active;
  if (by === "enter") return move(selection, back ? "up" : "down", extent);
  if (!back && col === extent.cols - 1 && row < extent.rows - 1) return at(row + 1, 0);
  if (back && col === 0 && row > 0) return at(row - 1, extent.cols - 1);
  return move(selection, back ? "left" : "right", extent);
}

function cycle(selection: Selection, by: "tab" | "enter", back: boolean): Cell {
  const { top, bottom, left, right } = rangeOf(selection);
  const width = right - left + 1;
  const height = bottom - top + 1;
  const { row, col } = selection.active;
  const index = by === "tab" ? (row - top) * width + (col - left) : (col - left) * height + (row - top);
  const next = (index + (back ? -1 : 1) + width * height) % (width * height);
  return by === "tab"
    ? { row: top + Math.floor(next / width), col: left + (next % width) }
    : { row: top + (next % height), col: left + Math.floor(next / height) };
}

function step({ row, col }: Cell, way: Move, extent: Extent): Cell {
  switch (way) {
    case "up":
      return { row: row - 1, col };
    case "down":
      return { row: row + 1, col };
    case "left":
      return { row, col: col - 1 };
    case "right":
      return { row, col: col + 1 };
    case "pageUp":
      return { row: row - extent.page, col };
    case "pageDown":
      return { row: row + extent.page, col };
    case "rowStart":
      return { row, col: 0 };
    case "rowEnd":
      return { row, col: extent.cols - 1 };
    case "top":
      return { row: 0, col };
    case "bottom":
      return { row: extent.rows - 1, col };
    case "first":
      return { row: 0, col: 0 };
    case "last":
      return { row: extent.rows - 1, col: extent.cols - 1 };
  }
}

function inside({ row, col }: Cell, extent: Extent): Cell {
  return {
    row: Math.max(0, Math.min(row, extent.rows - 1)),
    col: Math.max(0, Math.min(col, extent.cols - 1)),
  };
}
