import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { commit } from "../../state/identity";
import type { Sure } from "../../state/look";
import type { Opened } from "../../state/session";
import { Dialog } from "../../ui/Dialog";
import { closeDialog } from "../panels";
import { Confirm } from "./Confirm";

export function SureDialog({ opened, sure }: { readonly opened: Opened; readonly sure: Sure }): JSX.Element {
  const problem = useSignal("");
  const run = async (): Promise<void> => {
    problem.value = await commit(opened.production, sure.operations, "", sure.done);
    if (problem.value === "") closeDialog();
  };
  return (
    <Dialog title={sure.title} onClose={closeDialog}>
      <Confirm opened={opened} verb={sure.verb} problem={problem} onConfirm={run}>
        <p>{sure.text}</p>
      </Confirm>
    </Dialog>
  );
}
