/** The end of a dialog: what went wrong, why it can't be done now, Cancel and the deed. */
import { useSignal, type Signal } from "@preact/signals";
import type { ComponentChildren, JSX } from "preact";
import type { Opened } from "../../state/session";
import { closeDialog } from "../panels";
import { Barred } from "./Barred";

interface Props {
  readonly opened: Opened;
  readonly verb: string;
  readonly problem: Signal<string>;
  /** Why this can't be confirmed yet although the node is there. */
  readonly unready?: boolean;
  readonly onConfirm: () => Promise<void>;
  readonly children: ComponentChildren;
}

export function Confirm({ opened, verb, problem, unready = false, onConfirm, children }: Props): JSX.Element {
  const busy = useSignal(false);
  const barred = opened.production.barred.value;
  const run = async (): Promise<void> => {
    busy.value = true;
    await onConfirm();
    busy.value = false;
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (!busy.value) void run();
      }}
    >
      {children}
      <p class="problem" role="alert">
        {problem.value}
      </p>
      <Barred reason={barred} />
      <div class="buttons">
        <button type="button" onClick={closeDialog}>
          Cancel
        </button>
        <button type="submit" class="primary" disabled={barred !== "" || unready || busy.value} data-testid="confirm">
          {verb}
        </button>
      </div>
    </form>
  );
}
