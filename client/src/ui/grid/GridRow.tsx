/** One line of the sheet: the frozen columns, a gap for what is scrolled away, the columns in view. */
import { Component, type JSX } from "preact";
import type { VirtualItem } from "@tanstack/virtual-core";
import { isHexColor } from "../../domain/colors";
import { display, isNumeric } from "../../domain/format";
import { initials } from "../../domain/presence";
import type { Column } from "../../domain/schema";
import type { Row } from "../../domain/table";
import { Icon } from "../Icon";
import { CellEditor } from "./CellEditor";
import { cellDomId, gapBefore, placed, type GridDraft, type GridProps, type Marks } from "./model";

export interface RowProps {
  readonly row: Row;
  readonly index: number;
  readonly top: number;
  readonly width: number;
  readonly columns: readonly Column[];
  readonly frozen: number;
  readonly widths: readonly number[];
  readonly lefts: readonly number[];
  readonly items: readonly VirtualItem[];
  readonly marks: Marks;
  readonly activeCol: number;
  readonly rangeLeft: number;
  readonly rangeRight: number;
  readonly draft: GridDraft | null;
  readonly grid: Pick<GridProps, "onDraft" | "onCommit" | "onCancel">;
}

export class GridRow extends Component<RowProps> {
  override shouldComponentUpdate(next: Readonly<RowProps>): boolean {
    const keys = Object.keys(next) as (keyof RowProps)[];
    return keys.some((key) => key !== "grid" && next[key] !== this.props[key]);
  }

  override render(): JSX.Element {
    const { index, top, width, frozen, items, lefts, row } = this.props;
    const editing = this.props.draft !== null;
    return (
      <div
        role="row"
        aria-rowindex={index + 2}
        data-entity={row.entity}
        class={`grid-row${index % 2 === 1 ? " odd" : ""}${editing ? " editing" : ""}`}
        style={{ transform: `translateY(${top}px)`, width: `${width}px` }}
      >
        {Array.from({ length: frozen }, (_, col) => this.cell(col, 0))}
        {items.map((item, at) => this.cell(item.index + frozen, gapBefore(items, at, lefts[frozen] ?? 0)))}
      </div>
    );
  }

  private cell(col: number, gapPx: number): JSX.Element | null {
    const { row, index, columns, frozen, widths, lefts, marks, activeCol, rangeLeft, rangeRight, draft } = this.props;
    const column = columns[col];
    if (column === undefined) return null;
    const text = display(row.values[column.field], column.type);
    const flag = marks.flag(row.entity, column.field) ?? (col === frozen - 1 ? marks.flag(row.entity, "") : null);
    const shared = marks.shared(row.entity, column.field);
    const people = marks.people(row.entity, column.field);
    const selected = col >= rangeLeft && col <= rangeRight;
    const here = people[0];
    const names = ["cell"];
    if (col < frozen) names.push("frozen");
    if (col === frozen - 1) names.push("edge");
    if (isNumeric(column.type)) names.push("num");
    if (selected) names.push("in-range");
    if (col === activeCol) names.push("active");
    if (flag !== null) names.push("flagged");
    if (here !== undefined) names.push("peopled");
    return (
      <div
        key={column.field}
        role="gridcell"
        id={cellDomId(index, col)}
        aria-colindex={col + 1}
        aria-selected={selected}
        data-col={col}
        data-field={column.field}
        class={names.join(" ")}
        title={flag ?? ([text.length > 12 ? text : "", shared ?? ""].filter(Boolean).join("\n") || undefined)}
        style={{
          ...placed(widths[col] ?? 0, gapPx, col < frozen ? (lefts[col] ?? 0) : null),
          ...(here === undefined ? {} : { "--person": here.color }),
        }}
      >
        {flag !== null && (
          <span class="flag" data-flag>
            <Icon name="flag" />
          </span>
        )}
        <CellText column={column} text={text} />
        {shared !== null && (
          <span class="shared" data-shared>
            <Icon name="link" />
          </span>
        )}
        {flag !== null && <span class="sr-only">, conflict: people disagree here</span>}
        {shared !== null && <span class="sr-only">, {shared}</span>}
        {here !== undefined && (
          <span class={`tag${index === 0 ? " low" : ""}`}>
            {people.length === 1 ? here.name : people.map((person) => initials(person.name)).join(" ")}
            <span class="sr-only"> is here</span>
          </span>
        )}
        {draft !== null && draft.field === column.field && (
          <CellEditor key={draft.entity + draft.field} draft={draft} column={column} grid={this.props.grid} />
        )}
      </div>
    );
  }
}

function CellText({ column, text }: { readonly column: Column; readonly text: string }): JSX.Element {
  const swatch = column.type === "color" && isHexColor(text);
  return (
    <span class="text">
      {swatch && <span class="swatch" style={{ background: text }} aria-hidden="true" />}
      {text}
    </span>
  );
}
