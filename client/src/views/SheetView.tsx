/** A facet's sheet: the tools above it, the grid, and the line below that says what the cursor is on. */
import { untracked, useComputed, useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useMemo } from "preact/hooks";
import { flagAt } from "../domain/conflicts";
import { cellId } from "../domain/keys";
import type { Person } from "../domain/presence";
import { advance, at, isRange, rangeOf } from "../domain/selection";
import { titleOf } from "../domain/table";
import { panel } from "../state/look";
import { selectAll } from "../state/editing";
import { sharedWords } from "../state/identity";
import { tell } from "../state/notices";
import type { Opened } from "../state/session";
import type { Sheet } from "../state/sheet";
import { columnWidths, keepWidth } from "../state/widths";
import { Grid } from "../ui/grid/Grid";
import type { Command } from "../ui/grid/keys";
import type { GridProps, Marks } from "../ui/grid/model";
import { CellBar } from "./CellBar";
import { DeleteRows } from "./DeleteRows";
import { SheetTools } from "./SheetTools";

const NOBODY: readonly Person[] = [];

export function SheetView({ opened, sheet }: { readonly opened: Opened; readonly sheet: Sheet }): JSX.Element {
  const { production, conflicts, presence } = opened;
  const { facet, editing } = sheet;
  const deleting = useSignal<readonly string[] | null>(null);

  const marks = useComputed<Marks>(() => {
    const flags = conflicts.flags.value;
    const cells = presence.cells.value;
    const bonds = production.bonds.value;
    return {
      flag: (entity, field) => flagAt(flags, facet.name, entity, field)?.sentence ?? null,
      people: (entity, field) => cells.get(cellId(facet.name, entity, field)) ?? NOBODY,
      // Names of other rows as they are now: following each of them would draw this sheet again at every edit elsewhere.
      shared: (entity, field) => untracked(() => sharedWords(production, bonds, { facet: facet.name, entity, field })),
    };
  });

  const openFlag = (entity: string, field: string): void => {
    const flags = conflicts.flags.value;
    const found = flagAt(flags, facet.name, entity, field) ?? flagAt(flags, facet.name, entity, "");
    if (found !== undefined) panel.value = { kind: "conflict", id: found.id };
    else panel.value = { kind: "history", entity, title: sheet.title(entity) };
  };

  const undo = (step: ReturnType<typeof production.undo>, word: string, none: string): void => {
    tell(step === null ? none : `${word}: ${step.label}.`);
  };

  const run = (command: Command): void => {
    const { row, col } = sheet.selection.value.active;
    const entity = sheet.rows.value[row]?.entity;
    const field = facet.columns[col]?.field;
    switch (command.do) {
      case "edit":
        return editing.begin("edit");
      case "replace":
        return editing.begin("replace", command.text);
      case "compose":
        return editing.begin("compose");
      case "toggle":
        return editing.toggle();
      case "clear":
        return editing.clear();
      case "cancel":
        return sheet.select(at(row, col));
      case "selectAll":
        return sheet.select(selectAll(sheet));
      case "undo":
        return undo(production.undo(), "Undone", "Nothing of yours to undo.");
      case "redo":
        return undo(production.redo(), "Done again", "Nothing to do again.");
      case "addRow":
        return editing.addRow();
      case "sort":
        return field === undefined ? undefined : sheet.sortBy(field);
      case "open":
        return entity === undefined || field === undefined ? undefined : openFlag(entity, field);
    }
  };

  const commit: GridProps["onCommit"] = (then) => {
    const before = sheet.selection.value;
    const extent = { rows: sheet.rows.value.length, cols: facet.columns.length, page: 1 };
    const next = advance(before, then.startsWith("enter") ? "enter" : "tab", then.endsWith("Back"), extent);
    const entity = sheet.rows.value[next.active.row]?.entity ?? "";
    if (!editing.commit(then !== "stay")) return false;
    if (then === "stay") return true;
    if (isRange(before)) sheet.select(next);
    else {
      // Renumbering moves the row away; who types down a column goes on where they were, not where the row went.
      sheet.select(at(sheet.indexOf.value.get(entity) ?? next.active.row, next.active.col));
    }
    return true;
  };

  const deleteRows = (): void => {
    const { top, bottom } = rangeOf(sheet.selection.value);
    const entities = sheet.rows.value.slice(top, bottom + 1).map((row) => row.entity);
    if (entities.length > 0) deleting.value = entities;
  };

  const rows = sheet.rows.value;
  const widths = useWidths(sheet);
  return (
    <section class="sheet" aria-label={facet.label}>
      <SheetTools opened={opened} sheet={sheet} onCommand={run} onDelete={deleteRows} />
      <div class="grid-frame" data-region="sheet">
        <Grid
          label={`${facet.label}, ${rows.length} rows`}
          columns={facet.columns}
          frozen={facet.frozen}
          widths={widths}
          rows={rows}
          sorts={sheet.sorts.value}
          selection={sheet.selection.value}
          draft={editing.draft.value}
          marks={marks.value}
          titleOf={(row) => titleOf(facet, row)}
          onSelect={sheet.select}
          onCommand={run}
          onSort={sheet.sortBy}
          onResize={(field, width) => keepWidth(facet.name, field, width)}
          onDraft={editing.type}
          onCommit={commit}
          onCancel={editing.cancel}
          onOpenFlag={openFlag}
          onCopy={editing.copy}
          onPaste={editing.paste}
        />
        {rows.length === 0 && <Empty sheet={sheet} />}
      </div>
      <CellBar opened={opened} sheet={sheet} onOpen={() => run({ do: "open" })} />
      <p id="grid-help" class="sr-only">
        Arrow keys move, F2 or typing edits, Alt with Enter opens a conflict or the history, F6 leaves the sheet.
      </p>
      {deleting.value !== null && (
        <DeleteRows
          production={production}
          sheet={sheet}
          entities={deleting.value}
          onClose={() => {
            deleting.value = null;
          }}
        />
      )}
    </section>
  );
}

function useWidths(sheet: Sheet): readonly number[] {
  const filled = sheet.total.value > 0;
  const widths = useMemo(() => columnWidths(sheet.facet, filled ? sheet.rows.peek() : []), [sheet, filled]);
  return widths.value;
}

function Empty({ sheet }: { readonly sheet: Sheet }): JSX.Element {
  const filtered = sheet.total.value > 0;
  return (
    <div class="empty">
      <p>{filtered ? "Nothing fits the filter." : `No ${sheet.facet.label.toLowerCase()} yet.`}</p>
      <button
        type="button"
        onClick={() => {
          if (!filtered) return sheet.editing.addRow();
          sheet.filterBy("");
          sheet.scopeTo("");
        }}
      >
        {filtered ? "Show all" : "Add the first"}
      </button>
    </div>
  );
}
