/** How far an edit has come: said beside "Saved here", and beside each version of a history. */
import type { JSX } from "preact";
import { reachWords, type Reach } from "../../domain/together";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";

/** Of this device's latest edit. */
export function LatestReach({ opened }: { readonly opened: Opened }): JSX.Element | null {
  const session = opened.together.session.value;
  if (session === null || session.mine.bundles === 0 || opened.production.save.value.kind !== "saved") return null;
  const words = reachWords(session.mine, session);
  if (words === null) return null;
  return (
    <span class={session.mine.devices === 0 ? "reach none" : "reach"} data-testid="reach" data-devices={session.mine.devices} title={`This device’s latest edit: here, ${words}`}>
      {words}
    </span>
  );
}

/** Of any edit: null where it isn't known. */
export function EditReach({ opened, reach }: { readonly opened: Opened; readonly reach: Reach | undefined }): JSX.Element | null {
  const words = reach === undefined ? null : reachWords(reach, opened.together.session.value);
  if (reach === undefined || words === null) return null;
  return (
    <span class={reach.devices === 0 ? "edit-reach none" : "edit-reach"} title={`Here, ${words}`} data-testid="edit-reach">
      {" · "}
      <Icon name="devices" /> <span aria-hidden="true">{reach.devices === 0 ? "only here" : reach.devices + 1}</span>
      <span class="sr-only">here, {words}</span>
    </span>
  );
}
