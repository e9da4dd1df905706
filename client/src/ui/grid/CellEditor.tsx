/** The editor inside a cell. Its text lives in the state, so scrolling away and back loses nothing. */
import type { JSX, TargetedFocusEvent, TargetedInputEvent, TargetedKeyboardEvent } from "preact";
import { useLayoutEffect, useRef } from "preact/hooks";
import type { Column } from "../../domain/schema";
import type { GridDraft, GridProps } from "./model";

interface Props {
  readonly draft: GridDraft;
  readonly column: Column;
  readonly grid: Pick<GridProps, "onDraft" | "onCommit" | "onCancel">;
}

type Field = HTMLInputElement | HTMLTextAreaElement;

export function CellEditor({ draft, column, grid }: Props): JSX.Element {
  const field = useRef<Field | null>(null);
  const said = useRef<HTMLDivElement | null>(null);
  const left = useRef(false);
  useLayoutEffect(() => {
    const element = field.current;
    if (element === null) return;
    element.focus({ preventScroll: true });
    element.setSelectionRange(draft.mode === "compose" ? 0 : element.value.length, element.value.length);
  }, [draft.mode]);
  useLayoutEffect(() => {
    // Both are larger than the cell: at the edge of the sheet they would stand outside it.
    const shown = said.current ?? field.current;
    shown?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [draft.problem]);

  const leave = (then: Parameters<GridProps["onCommit"]>[0]): void => {
    left.current = true;
    grid.onCommit(then);
    left.current = false;
  };

  const onKeyDown = (event: TargetedKeyboardEvent<Field>): void => {
    event.stopPropagation();
    if (event.isComposing) return;
    const key = event.key;
    if (key === "Enter" && (event.altKey || event.ctrlKey) && column.type === "text") {
      grid.onDraft(`${draft.text}\n`);
    } else if (key === "Enter") leave(event.shiftKey ? "enterBack" : "enter");
    else if (key === "Tab") leave(event.shiftKey ? "tabBack" : "tab");
    else if (key === "Escape") {
      left.current = true;
      grid.onCancel();
    } else if (draft.mode !== "edit" && (key === "ArrowUp" || key === "ArrowDown") && column.choices.length === 0) {
      leave(key === "ArrowUp" ? "enterBack" : "enter");
    } else return;
    event.preventDefault();
  };

  const shared = {
    class: "editor",
    value: draft.text,
    "aria-label": column.unit === "" ? column.label : `${column.label} (${column.unit})`,
    "aria-invalid": draft.problem !== "",
    "aria-describedby": draft.problem === "" ? undefined : "editor-problem",
    autocomplete: "off",
    spellcheck: false,
    onInput: (event: TargetedInputEvent<Field>) => {
      grid.onDraft(event.currentTarget.value);
    },
    onKeyDown,
    onPointerDown: (event: Event) => {
      event.stopPropagation();
    },
    onBlur: (event: TargetedFocusEvent<Field>) => {
      // Another window in front leaves the cursor here: half a word isn't written because somebody looked something up.
      if (!left.current && document.activeElement !== event.currentTarget) grid.onCommit("stay");
    },
  } as const;

  return (
    <>
      {column.type === "text" ? (
        <textarea {...shared} rows={4} ref={(element) => void (field.current = element)} />
      ) : (
        <input
          {...shared}
          type="text"
          ref={(element) => void (field.current = element)}
          list={column.choices.length > 0 ? "editor-choices" : undefined}
        />
      )}
      {column.choices.length > 0 && (
        <datalist id="editor-choices">
          {column.choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </datalist>
      )}
      {draft.problem !== "" && (
        <div ref={said} class="editor-problem" id="editor-problem" role="alert">
          {draft.problem}
        </div>
      )}
    </>
  );
}
