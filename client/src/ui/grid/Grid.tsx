/**
 * The sheet: rows and columns both virtual, one `role="grid"` that keeps the focus, with the active cell named by
 * aria-activedescendant. The active row and column are always drawn, so that what is named is there.
 */
import { defaultRangeExtractor, type Range as InView } from "@tanstack/virtual-core";
import type { JSX, TargetedClipboardEvent, TargetedKeyboardEvent, TargetedPointerEvent } from "preact";
import { useCallback, useLayoutEffect, useMemo, useRef } from "preact/hooks";
import { advance, at, extendTo, move, rangeOf, type Cell, type Extent } from "../../domain/selection";
import { GridHead } from "./GridHead";
import { GridRow } from "./GridRow";
import { commandOf } from "./keys";
import { cellDomId, type GridProps } from "./model";
import { useVirtual } from "./use-virtual";

const HEAD_PX = 30;
const coarse = (): boolean => matchMedia("(pointer: coarse)").matches;

export function Grid(props: GridProps): JSX.Element {
  const { columns, rows, widths, frozen, selection, draft } = props;
  const scroller = useRef<HTMLDivElement | null>(null);
  const dragging = useRef(false);
  const rowPx = useMemo(() => (coarse() ? 38 : 27), []);
  const { active } = selection;

  const lefts = useMemo(() => {
    const sums = [0];
    for (const width of widths) sums.push((sums.at(-1) ?? 0) + width);
    return sums;
  }, [widths]);
  const frozenPx = lefts[frozen] ?? 0;
  const totalPx = lefts.at(-1) ?? 0;

  const vertical = useVirtual({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    paddingStart: HEAD_PX,
    scrollPaddingStart: HEAD_PX,
    scrollPaddingEnd: 4,
    overscan: 6,
    rangeExtractor: useCallback((range: InView) => withAlso(range, active.row), [active.row]),
  });
  const horizontal = useVirtual({
    horizontal: true,
    count: Math.max(0, columns.length - frozen),
    getScrollElement: () => scroller.current,
    estimateSize: (index) => widths[index + frozen] ?? 80,
    paddingStart: frozenPx,
    scrollPaddingStart: frozenPx,
    scrollPaddingEnd: 8,
    overscan: 2,
    rangeExtractor: useCallback((range: InView) => withAlso(range, active.col - frozen), [active.col, frozen]),
  });
  useLayoutEffect(() => {
    horizontal.measure();
  }, [widths, horizontal]);

  const seen = useRef("");
  useLayoutEffect(() => {
    // Others' edits may move rows about; the window follows the cursor only when this person moves it.
    const { row, col } = selection.head;
    if (seen.current === `${row}/${col}`) return;
    seen.current = `${row}/${col}`;
    if (rows.length > 0) vertical.scrollToIndex(row, { align: "auto" });
    if (col >= frozen) horizontal.scrollToIndex(col - frozen, { align: "auto" });
  }, [selection, frozen, rows.length, vertical, horizontal]);

  const wasEditing = useRef(false);
  // Before the next key comes: an effect that waits for a frame loses what is typed until then.
  useLayoutEffect(() => {
    if (wasEditing.current && draft === null && (document.activeElement === document.body || document.activeElement === null)) {
      scroller.current?.focus({ preventScroll: true });
    }
    wasEditing.current = draft !== null;
  }, [draft]);

  const extent = (): Extent => ({
    rows: rows.length,
    cols: columns.length,
    page: Math.max(1, Math.floor(((scroller.current?.clientHeight ?? 300) - HEAD_PX) / rowPx) - 1),
  });

  const onKeyDown = (event: TargetedKeyboardEvent<HTMLElement>): void => {
    if (event.isComposing || rows.length === 0) return;
    const command = commandOf(event);
    if (command === null) return;
    const boolean = columns[active.col]?.type === "boolean";
    if (command.do === "advance" && command.by === "tab" && leaves(active, command.back, extent())) return;
    // What an input method composes goes to whatever has the focus once this key was handled.
    if (command.do !== "compose") event.preventDefault();
    if (command.do === "move") props.onSelect(move(selection, command.way, extent(), command.extend));
    else if (command.do === "advance") props.onSelect(advance(selection, command.by, command.back, extent()));
    else if (command.do === "toggle" && !boolean) props.onCommand({ do: "replace", text: " " });
    else props.onCommand(command);
  };

  const cellAt = (target: EventTarget | null): Cell | null => {
    const cell = (target as Element | null)?.closest<HTMLElement>("[data-col]");
    const index = cell?.parentElement?.getAttribute("aria-rowindex");
    if (cell === null || cell === undefined || index === null || index === undefined) return null;
    return { row: Number(index) - 2, col: Number(cell.dataset["col"]) };
  };

  const onPointerDown = (event: TargetedPointerEvent<HTMLElement>): void => {
    const cell = event.button === 0 ? cellAt(event.target) : null;
    if (cell === null) return;
    if (draft !== null && !props.onCommit("stay")) {
      event.preventDefault();
      // It may have been scrolled away: why nothing else can be done is said beside it.
      vertical.scrollToIndex(active.row, { align: "auto" });
      if (active.col >= frozen) horizontal.scrollToIndex(active.col - frozen, { align: "auto" });
      return;
    }
    scroller.current?.focus({ preventScroll: true });
    props.onSelect(event.shiftKey ? extendTo(selection, cell) : at(cell.row, cell.col));
    const row = rows[cell.row];
    if ((event.target as Element).closest("[data-flag]") !== null && row !== undefined) {
      props.onOpenFlag(row.entity, columns[cell.col]?.field ?? "");
      return;
    }
    if (event.pointerType !== "mouse") return;
    event.preventDefault();
    dragging.current = true;
  };

  const onPointerMove = (event: TargetedPointerEvent<HTMLElement>): void => {
    if (!dragging.current) return;
    if (event.buttons === 0) dragging.current = false;
    const cell = dragging.current ? cellAt(document.elementFromPoint(event.clientX, event.clientY)) : null;
    if (cell !== null) props.onSelect(extendTo(selection, cell));
  };

  const onClipboard = (event: TargetedClipboardEvent<HTMLElement>): void => {
    if (draft !== null || event.clipboardData === null) return;
    event.preventDefault();
    if (event.type === "paste") {
      props.onPaste(event.clipboardData.getData("text/plain"));
      return;
    }
    event.clipboardData.setData("text/plain", props.onCopy());
    if (event.type === "cut") props.onCommand({ do: "clear" });
  };

  const range = rangeOf(selection);
  const items = horizontal.getVirtualItems();
  const handlers = { onDraft: props.onDraft, onCommit: props.onCommit, onCancel: props.onCancel };
  const described = rows.length > 0 ? cellDomId(active.row, active.col) : undefined;
  return (
    <div
      ref={scroller}
      class="grid"
      role="grid"
      tabIndex={0}
      data-testid="sheet"
      aria-label={props.label}
      aria-describedby="grid-help"
      aria-multiselectable="true"
      aria-rowcount={rows.length + 1}
      aria-colcount={columns.length}
      aria-activedescendant={described}
      onKeyDown={onKeyDown}
      onPointerDown={onPointerDown}
      onPointerMove={onPointerMove}
      onPointerUp={() => void (dragging.current = false)}
      onDblClick={(event) => {
        if (cellAt(event.target) !== null) props.onCommand({ do: "edit" });
      }}
      onCopy={onClipboard}
      onCut={onClipboard}
      onPaste={onClipboard}
    >
      <div role="rowgroup" class="grid-canvas" style={{ width: `${totalPx}px`, height: `${vertical.getTotalSize()}px` }}>
        <GridHead
          columns={columns}
          frozen={frozen}
          widths={widths}
          lefts={lefts}
          items={items}
          sorts={props.sorts}
          onSort={props.onSort}
          onResize={props.onResize}
        />
        {vertical.getVirtualItems().map((item) => {
          const row = rows[item.index];
          if (row === undefined) return null;
          const inRange = item.index >= range.top && item.index <= range.bottom;
          return (
            <GridRow
              key={row.entity}
              row={row}
              index={item.index}
              top={item.start}
              width={totalPx}
              columns={columns}
              frozen={frozen}
              widths={widths}
              lefts={lefts}
              items={items}
              marks={props.marks}
              activeCol={item.index === active.row ? active.col : -1}
              rangeLeft={inRange ? range.left : 1}
              rangeRight={inRange ? range.right : 0}
              draft={draft?.entity === row.entity ? draft : null}
              grid={handlers}
            />
          );
        })}
      </div>
    </div>
  );
}

/** The same function for as long as the active cell stays, or every row would be drawn again at every move. */
function withAlso(range: InView, index: number): number[] {
  const inView = defaultRangeExtractor(range);
  if (index < 0 || index >= range.count || inView.includes(index)) return inView;
  return [...inView, index].sort((a, b) => a - b);
}

/** Tab leaves the sheet at its very ends, so that nobody is caught in it. */
function leaves({ row, col }: Cell, back: boolean, extent: Extent): boolean {
  return back ? row === 0 && col === 0 : row === extent.rows - 1 && col === extent.cols - 1;
}
