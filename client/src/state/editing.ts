/** Edits of a sheet: one cell at a time, ranges, pasted blocks, new rows. Each is one step that undo takes back. */
import { effect, type ReadonlySignal, type Signal } from "@preact/signals";
import { registerOf, type RegisterWrite } from "../data/registers";
import { display, isEditable, parse } from "../domain/format";
import { numberBetween } from "../domain/order";
import { planPaste } from "../domain/paste";
import { numbering, type Column } from "../domain/schema";
import { at, rangeOf, type Selection } from "../domain/selection";
import type { Row } from "../domain/table";
import { fromTsv, toTsv } from "../domain/tsv";
import { newEntityId } from "../domain/ulid";
import { sameValue, type Value } from "../domain/values";
import type { Production } from "./production";
import type { Sheet } from "./sheet";
import { tell } from "./notices";

export interface Draft {
  readonly entity: string;
  readonly field: string;
  /** Its row as it was: it stays in the sheet while it is edited, whatever others do to it. */
  readonly row: Row;
  readonly text: string;
  /** What the field held when editing began: if somebody changes it meanwhile, the person is told before replacing it. */
  readonly base: Value;
  /** What somebody has set meanwhile, which the person was told of. */
  readonly told?: Value;
  readonly problem: string;
  /**
   * Typing replaced the value (arrow keys then leave the cell), or will as soon as the first character is composed; or F2
   * opened it (arrow keys move in the text).
   */
  readonly mode: "replace" | "compose" | "edit";
}

export interface Editing {
  readonly draft: ReadonlySignal<Draft | null>;
  begin(mode: Draft["mode"], text?: string): void;
  type(text: string): void;
  /** True when the cell is left: written, or nothing to write. Only who insists replaces what was set meanwhile. */
  commit(insists?: boolean): boolean;
  cancel(): void;
  /** Whether something is typed that isn't written yet. */
  unsaved(): boolean;
  clear(): void;
  copy(): string;
  paste(text: string): void;
  addRow(): void;
  toggle(): void;
}

export function createEditing(production: Production, sheet: Omit<Sheet, "editing">, draft: Signal<Draft | null>): Editing {
  const { facet } = sheet;

  /** Why what is typed can't be written, in a sentence; "" when it can. Nothing typed goes where nobody sees it. */
  const stopped = (entity: string): string => {
    if (!sheet.has(entity)) return "Somebody has just deleted this row. Copy what you typed if you need it; Esc leaves it.";
    return production.readOnly.value ? `${production.lookOnly.value} Copy what you typed if you need it; Esc leaves it.` : "";
  };
  effect(() => {
    const open = draft.value;
    const problem = open === null ? "" : stopped(open.entity);
    if (open !== null && problem !== "" && problem !== open.problem) draft.value = { ...open, problem };
  });

  const active = (): { row: Row; column: Column } | null => {
    const { row, col } = sheet.selection.value.active;
    const found = sheet.rows.value[row];
    const column = facet.columns[col];
    return found === undefined || column === undefined ? null : { row: found, column };
  };

  const write = (entity: string, column: Column, value: Value): RegisterWrite => ({
    ...registerOf(facet.name, entity, column.field, column.type),
    earlier: column.type === "text" ? [] : column.was.map((key) => `${entity}/${key}`),
    value,
  });

  const mayEdit = (column: Column): boolean => {
    if (production.readOnly.value) {
      tell(production.lookOnly.value);
      return false;
    }
    if (!isEditable(column)) tell(`${column.label} isn’t edited in the sheet.`);
    return isEditable(column);
  };

  const shownIn = ({ field, base }: Draft): string => display(base, facet.columns.find((one) => one.field === field)?.type ?? "string");

  const begin: Editing["begin"] = (mode, text) => {
    const cell = active();
    if (cell === null || !mayEdit(cell.column)) return;
    const base = cell.row.values[cell.column.field] ?? null;
    const { field, type } = cell.column;
    draft.value = { entity: cell.row.entity, row: cell.row, field, text: text ?? display(base, type), base, problem: "", mode };
  };

  const commit: Editing["commit"] = (insists = true) => {
    const open = draft.value;
    const column = facet.columns.find((candidate) => candidate.field === open?.field);
    if (open === null || column === undefined) return true;
    if (open.text === shownIn(open)) {
      draft.value = null;
      return true;
    }
    if (stopped(open.entity) !== "") return false;
    const parsed = parse(open.text, column);
    const present = sheet.value(open.entity, open.field) ?? null;
    if (!parsed.ok) {
      draft.value = { ...open, problem: parsed.message };
      return false;
    }
    const known = sameValue(present, open.base) || (insists && open.told !== undefined && sameValue(present, open.told));
    if (!known && !sameValue(present, parsed.value)) {
      const now = display(present, column.type);
      const said = now === "" ? "cleared it" : `set “${now}”`;
      draft.value = { ...open, told: present, problem: `Somebody has just ${said}. Enter again replaces it, Esc keeps it.` };
      return false;
    }
    draft.value = null;
    production.edit(facet, `${sheet.title(open.entity)} ${column.label}`, [write(open.entity, column, parsed.value)]);
    return true;
  };

  const cellsOf = (selection: Selection): { row: Row; column: Column }[][] => {
    const { top, bottom, left, right } = rangeOf(selection);
    const columns = facet.columns.slice(left, right + 1);
    return sheet.rows.value.slice(top, bottom + 1).map((row) => columns.map((column) => ({ row, column })));
  };

  const paste = (text: string): void => {
    if (production.readOnly.value) return tell(production.lookOnly.value);
    const range = rangeOf(sheet.selection.value);
    const plan = planPaste(fromTsv(text), range, sheet.rows.value, facet.columns);
    const made = new Map<number, string>();
    const writes: RegisterWrite[] = [];
    for (const cell of plan.writes) {
      const shown = cell.entity === null ? null : (sheet.value(cell.entity, cell.column.field) ?? null);
      if (shown === null && cell.value === null) continue;
      let entity = cell.entity ?? made.get(cell.row);
      if (entity === undefined) {
        entity = newEntity(facet.name);
        made.set(cell.row, entity);
        writes.push({ root: facet.name, key: entity, value: true });
      }
      writes.push(write(entity, cell.column, cell.value));
    }
    production.edit(facet, "pasting", writes);
    const added = made.size > 0 ? ` ${made.size} new ${made.size === 1 ? "row" : "rows"}.` : "";
    const left = plan.problems.length + plan.beyond;
    if (left > 0) {
      const count = left === 1 ? "One cell wasn’t" : `${left} cells weren’t`;
      const none = plan.beyond === left ? "them" : `${plan.beyond} of them`;
      const beyond = plan.beyond > 0 ? [`There is no column for ${left === 1 ? "it" : none}.`] : [];
      tell(`${count} pasted. ${[...beyond, ...plan.problems.slice(0, 3)].join(" ")}${added}`);
    } else if (added !== "") tell(`Pasted.${added}`);
  };

  const addRow = (): void => {
    if (production.readOnly.value) return tell(production.lookOnly.value);
    const entity = newEntity(facet.name);
    const writes: RegisterWrite[] = [{ root: facet.name, key: entity, value: true }];
    for (const [field, value] of startingValues(sheet)) writes.push({ root: facet.name, key: `${entity}/${field}`, value });
    production.edit(facet, "a new row", writes);
    // Where it has been numbered already, the next thing to say stands behind the number.
    const first = numbering(facet) === null ? 0 : Math.min(facet.frozen, facet.columns.length - 1);
    sheet.goTo(entity, facet.columns[first]?.field ?? "");
  };

  return {
    draft,
    begin,
    type: (text) => {
      if (draft.value !== null) draft.value = { ...draft.value, text, problem: "" };
    },
    commit,
    cancel: () => {
      draft.value = null;
    },
    unsaved: () => {
      const open = draft.value;
      return open !== null && open.text !== shownIn(open);
    },
    clear: () => {
      if (production.readOnly.value) return tell(production.lookOnly.value);
      const cells = cellsOf(sheet.selection.value)
        .flat()
        .filter(({ row, column }) => isEditable(column) && (row.values[column.field] ?? null) !== null);
      production.edit(facet, "clearing", cells.map(({ row, column }) => write(row.entity, column, null)));
    },
    copy: () =>
      toTsv(
        cellsOf(sheet.selection.value).map((line) =>
          line.map(({ row, column }) => display(row.values[column.field], column.type)),
        ),
      ),
    paste,
    addRow,
    toggle: () => {
      const cell = active();
      if (cell === null || !mayEdit(cell.column)) return;
      const value = cell.row.values[cell.column.field] !== true;
      production.edit(facet, `${sheet.title(cell.row.entity)} ${cell.column.label}`, [
        write(cell.row.entity, cell.column, value),
      ]);
    },
  };
}

const newEntity = (facet: string): string => newEntityId(facet, Date.now(), crypto.getRandomValues(new Uint8Array(10)));

/** A new row goes after the cursor's: same list, and the number between it and the next. */
function startingValues(sheet: Omit<Sheet, "editing">): [field: string, value: Value][] {
  const numbered = numbering(sheet.facet);
  if (numbered === null) return [];
  const { group, number: numberField } = numbered;
  const { row } = sheet.selection.value.active;
  const here = sheet.rows.value[row];
  const [scopeField] = group;
  if (here === undefined) return scopeField !== undefined && sheet.scope.value !== "" ? [[scopeField, sheet.scope.value]] : [];
  const shared = group.map((field): [string, Value] => [field, here.values[field] ?? null]);
  const numbers = sheet.rows.value
    .filter((other) => shared.every(([field, value]) => sameValue(other.values[field], value)))
    .map((other) => other.values[numberField])
    .filter((value): value is string => typeof value === "string");
  const from = here.values[numberField];
  const after = numbers
    .filter((number) => Number(number) > Number(from))
    .sort((a, b) => Number(a) - Number(b))
    .at(0);
  const number = typeof from === "string" ? numberBetween(from, after ?? null) : null;
  return [...shared, ...(number === null ? [] : [[numberField, number] as [string, Value]])];
}

export const selectAll = (sheet: Omit<Sheet, "editing">): Selection => {
  const start = at(0, 0);
  const corner = { row: sheet.rows.value.length - 1, col: sheet.facet.columns.length - 1 };
  return { ...start, head: corner };
};
