/** The tools of a sheet: what is shown, what can be done. */
import type { JSX } from "preact";
import { rangeOf } from "../domain/selection";
import { asking } from "../state/look";
import { tell } from "../state/notices";
import type { Opened } from "../state/session";
import type { Sheet } from "../state/sheet";
import type { Command } from "../ui/grid/keys";
import { Icon, type IconName } from "../ui/Icon";

interface Props {
  readonly opened: Opened;
  readonly sheet: Sheet;
  readonly onCommand: (command: Command) => void;
  readonly onDelete: () => void;
}

const rowCount = (count: number): string => (count === 1 ? "1 row" : `${count} rows`);

export function SheetTools({ opened, sheet, onCommand, onDelete }: Props): JSX.Element {
  const { production } = opened;
  const shown = sheet.rows.value.length;
  const total = sheet.total.value;
  const undoLabel = production.undoLabel.value;
  const redoLabel = production.redoLabel.value;
  const barred = production.barred.value;
  const lookOnly = production.lookOnly.value;
  const ask = (kind: "same" | "merge"): void => {
    const { top, bottom } = rangeOf(sheet.selection.value);
    const entities = sheet.rows.value.slice(top, bottom + 1).map(({ entity }) => entity);
    if (kind === "merge" && entities.length > 2) return tell("Select one row or two: two are merged at a time.");
    asking.value = kind === "same" ? { kind, concept: "", entities } : { kind, facet: sheet.facet.name, entities };
  };
  return (
    <div class="tools" role="toolbar" aria-label="Sheet" data-region="tools">
      {sheet.scopes.value.length > 1 && <Scopes sheet={sheet} />}
      <label class="search">
        <Icon name="search" />
        <span class="sr-only">Filter rows</span>
        <input
          type="search"
          placeholder="Filter"
          value={sheet.filter.value}
          data-testid="filter"
          onInput={(event) => {
            sheet.filterBy(event.currentTarget.value);
          }}
        />
      </label>
      <span class="count" aria-live="polite">
        {shown === total ? rowCount(total) : `${shown} of ${rowCount(total)}`}
      </span>
      <span class="grow" />
      <button
        type="button"
        class="plain"
        disabled={undoLabel === null}
        title={undoLabel === null ? "Nothing of yours to undo" : `Undo ${undoLabel} (Ctrl+Z)`}
        aria-label={undoLabel === null ? "Undo" : `Undo ${undoLabel}`}
        onClick={() => onCommand({ do: "undo" })}
      >
        <Icon name="undo" />
      </button>
      <button
        type="button"
        class="plain"
        disabled={redoLabel === null}
        title={redoLabel === null ? "Nothing to do again" : `Do ${redoLabel} again (Ctrl+Y)`}
        aria-label={redoLabel === null ? "Redo" : `Redo ${redoLabel}`}
        onClick={() => onCommand({ do: "redo" })}
      >
        <Icon name="redo" />
      </button>
      <Tool icon="link" name="Same thing…" barred={barred} disabled={shown === 0} testId="same-thing" onClick={() => ask("same")} />
      <Tool icon="merge" name="Merge…" barred={barred} disabled={shown === 0} testId="merge-rows" onClick={() => ask("merge")} />
      <Tool icon="trash" name="Delete…" barred={barred} disabled={shown === 0} testId="delete-rows" onClick={onDelete} />
      <Tool
        icon="into"
        name="Import…"
        barred={barred}
        testId="import-file"
        onClick={() => void (asking.value = { kind: "import", plugin: sheet.facet.name.split(".")[0] ?? "" })}
      />
      <button
        type="button"
        onClick={() => onCommand({ do: "addRow" })}
        disabled={lookOnly !== ""}
        title={lookOnly || "Ctrl+Enter"}
        data-testid="add-row"
      >
        <Icon name="plus" /> Add row
      </button>
    </div>
  );
}

interface ToolProps {
  readonly icon: IconName;
  readonly name: string;
  readonly barred: string;
  readonly disabled?: boolean;
  readonly testId: string;
  readonly onClick: () => void;
}

/** Where there is little room it shows its icon only. */
function Tool({ icon, name, barred, disabled = false, testId, onClick }: ToolProps): JSX.Element {
  return (
    <button type="button" onClick={onClick} disabled={disabled || barred !== ""} title={barred || name} data-testid={testId}>
      <Icon name={icon} /> <span class="tool-name">{name}</span>
    </button>
  );
}

function Scopes({ sheet }: { readonly sheet: Sheet }): JSX.Element {
  return (
    <div class="scopes" role="group" aria-label="Show">
      {["", ...sheet.scopes.value].map((scope) => (
        <button
          key={scope}
          type="button"
          class="scope"
          aria-pressed={sheet.scope.value === scope}
          onClick={() => {
            sheet.scopeTo(scope);
          }}
        >
          {scope === "" ? "All" : scope}
        </button>
      ))}
    </div>
  );
}
