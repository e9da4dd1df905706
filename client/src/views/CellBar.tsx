/** The line under the sheet: what the cursor is on, who else is there, whether people disagree about it. */
import type { JSX } from "preact";
import { flagAt } from "../domain/conflicts";
import { display } from "../domain/format";
import { cellId } from "../domain/keys";
import { edgesAt } from "../domain/schema";
import { sharedWords } from "../state/identity";
import { panel } from "../state/look";
import type { Opened } from "../state/session";
import type { Sheet } from "../state/sheet";
import { Icon } from "../ui/Icon";

interface Props {
  readonly opened: Opened;
  readonly sheet: Sheet;
  readonly onOpen: () => void;
}

export function CellBar({ opened, sheet, onOpen }: Props): JSX.Element {
  const { facet } = sheet;
  const { row, col } = sheet.selection.value.active;
  const current = sheet.rows.value[row];
  const column = facet.columns[col];
  if (current === undefined || column === undefined) return <footer class="cell-bar" />;
  const flags = opened.conflicts.flags.value;
  const conflict = flagAt(flags, facet.name, current.entity, column.field) ?? flagAt(flags, facet.name, current.entity, "");
  const place = { facet: facet.name, entity: current.entity, field: column.field };
  const shared = sharedWords(opened.production, opened.production.bonds.value, place);
  const people = opened.presence.cells.value.get(cellId(facet.name, current.entity, column.field)) ?? [];
  const title = sheet.title(current.entity);
  const { edges } = opened.production.info;
  const relates = edgesAt(edges, "source", [facet.name]).length + edgesAt(edges, "target", [facet.name]).length > 0;
  const unit = column.unit === "" ? "" : ` (${column.unit})`;
  return (
    <footer class="cell-bar" data-region="cell">
      <strong>{title}</strong>
      <span class="cell-label">
        {column.label}
        {unit}
      </span>
      {conflict === undefined ? (
        <span class="cell-value">{display(current.values[column.field], column.type)}</span>
      ) : (
        <span class="cell-conflict" title={conflict.sentence}>
          <Icon name="flag" /> {conflict.sentence}
        </span>
      )}
      {shared !== null && (
        <span class="cell-shared" data-testid="shared-with" title={shared}>
          <Icon name="link" /> {shared}
        </span>
      )}
      {people.length > 0 && <span class="cell-people">{people.map((person) => person.name).join(", ")} here</span>}
      <span class="grow" />
      {conflict !== undefined && (
        <button type="button" class="primary" onClick={onOpen} data-testid="open-conflict">
          {opened.production.barred.value === "" ? "Choose…" : "Look…"}
        </button>
      )}
      {relates && (
        <button
          type="button"
          data-testid="open-relations"
          onClick={() => {
            panel.value = { kind: "relations", entity: current.entity, title };
          }}
        >
          <Icon name="relate" /> Relations
        </button>
      )}
      <button
        type="button"
        data-testid="open-history"
        onClick={() => {
          panel.value = { kind: "history", entity: current.entity, title };
        }}
      >
        <Icon name="clock" /> History
      </button>
    </footer>
  );
}
