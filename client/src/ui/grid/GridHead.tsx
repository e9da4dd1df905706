/** The header line: labels, the way the sheet is sorted, and edges to drag. */
import type { VirtualItem } from "@tanstack/virtual-core";
import type { JSX, TargetedPointerEvent } from "preact";
import { isNumeric } from "../../domain/format";
import type { Column } from "../../domain/schema";
import type { Sort } from "../../domain/table";
import { Icon } from "../Icon";
import { gapBefore, placed } from "./model";

interface Props {
  readonly columns: readonly Column[];
  readonly frozen: number;
  readonly widths: readonly number[];
  readonly lefts: readonly number[];
  readonly items: readonly VirtualItem[];
  readonly sorts: readonly Sort[];
  readonly onSort: (field: string) => void;
  readonly onResize: (field: string, width: number) => void;
}

const WIDTH_PX_MIN = 36;
const WIDTH_PX_MAX = 800;

export function GridHead(props: Props): JSX.Element {
  const { frozen, items, lefts } = props;
  return (
    <div role="row" aria-rowindex={1} class="grid-head">
      {Array.from({ length: frozen }, (_, col) => heading(props, col, 0))}
      {items.map((item, at) => heading(props, item.index + frozen, gapBefore(items, at, lefts[frozen] ?? 0)))}
    </div>
  );
}

function heading({ columns, frozen, widths, lefts, sorts, onSort, onResize }: Props, col: number, gapPx: number): JSX.Element | null {
  const column = columns[col];
  if (column === undefined) return null;
  const sort = sorts.find((candidate) => candidate.field === column.field);
  const described = [column.description, column.unit === "" ? "" : `In ${column.unit}.`, column.private ? "Private: left out of what is shared." : ""].filter(Boolean).join(" ");
  return (
    <div
      key={column.field}
      role="columnheader"
      aria-colindex={col + 1}
      aria-sort={sort === undefined ? "none" : sort.descending ? "descending" : "ascending"}
      class={`heading${col < frozen ? " frozen" : ""}${col === frozen - 1 ? " edge" : ""}${isNumeric(column.type) ? " num" : ""}`}
      style={placed(widths[col] ?? 0, gapPx, col < frozen ? (lefts[col] ?? 0) : null)}
      title={described || undefined}
    >
      <button type="button" tabIndex={-1} onClick={() => onSort(column.field)}>
        <span class="text">{column.label}</span>
        {sort !== undefined && <Icon name={sort.descending ? "down" : "up"} />}
      </button>
      <span
        class="resize"
        aria-hidden="true"
        onPointerDown={(event) => {
          drag(event, widths[col] ?? 80, (width) => onResize(column.field, width));
        }}
        onDblClick={() => onResize(column.field, 0)}
      />
    </div>
  );
}

function drag(event: TargetedPointerEvent<HTMLElement>, from: number, resize: (width: number) => void): void {
  event.stopPropagation();
  event.preventDefault();
  const handle = event.currentTarget;
  const startX = event.clientX;
  handle.setPointerCapture(event.pointerId);
  handle.onpointermove = ({ clientX }) => {
    resize(Math.round(Math.min(WIDTH_PX_MAX, Math.max(WIDTH_PX_MIN, from + clientX - startX))));
  };
  handle.onpointerup = () => {
    handle.onpointermove = null;
    handle.onpointerup = null;
  };
}
