/** What the grid is given. It draws and listens; what a cell means is its owner's business. */
import type { VirtualItem } from "@tanstack/virtual-core";
import type { Person } from "../../domain/presence";
import type { Column } from "../../domain/schema";
import type { Selection } from "../../domain/selection";
import type { Row, Sort } from "../../domain/table";
import type { Command } from "./keys";

export interface GridDraft {
  readonly entity: string;
  readonly field: string;
  readonly text: string;
  readonly problem: string;
  readonly mode: "replace" | "compose" | "edit";
}

export interface GridProps {
  readonly label: string;
  readonly columns: readonly Column[];
  readonly frozen: number;
  readonly widths: readonly number[];
  readonly rows: readonly Row[];
  readonly sorts: readonly Sort[];
  readonly selection: Selection;
  readonly draft: GridDraft | null;
  readonly marks: Marks;
  readonly titleOf: (row: Row) => string;
  readonly onSelect: (selection: Selection) => void;
  readonly onCommand: (command: Command) => void;
  readonly onSort: (field: string) => void;
  readonly onResize: (field: string, width: number) => void;
  readonly onDraft: (text: string) => void;
  /** Leave the editor: write (true when it may be left) and move on. */
  readonly onCommit: (then: "stay" | "enter" | "enterBack" | "tab" | "tabBack") => boolean;
  readonly onCancel: () => void;
  readonly onOpenFlag: (entity: string, field: string) => void;
  readonly onCopy: () => string;
  readonly onPaste: (text: string) => void;
}

/** Marks on cells. They are new objects when anything in them changes. */
export interface Marks {
  /** The sentence of the conflict that flags a cell; field "" for the entity itself. */
  readonly flag: (entity: string, field: string) => string | null;
  readonly people: (entity: string, field: string) => readonly Person[];
  /** What else shows this cell's value, in words; null when nothing does. */
  readonly shared: (entity: string, field: string) => string | null;
}

export const cellDomId = (row: number, col: number): string => `cell-${row}-${col}`;

/** How much is scrolled away between a column in view and the one drawn before it (px). */
export function gapBefore(items: readonly VirtualItem[], at: number, start: number): number {
  return (items[at]?.start ?? 0) - (items[at - 1]?.end ?? start);
}

/** A frozen column sticks to its place from the left; the others stand behind the gap before them. */
export function placed(width: number, gapPx: number, stickPx: number | null): Record<string, string> {
  return {
    width: `${width}px`,
    ...(gapPx > 0 ? { marginLeft: `${gapPx}px` } : {}),
    ...(stickPx === null ? {} : { left: `${stickPx}px` }),
  };
}
