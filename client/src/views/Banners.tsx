/** What isn't as usual, in words: the node is away, access is view only, this browser keeps nothing. */
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { dismiss, notice } from "../state/notices";
import type { Opened } from "../state/session";
import { Icon } from "../ui/Icon";

/** A connection takes a moment at first; saying "offline" before it is known would only startle. */
const GRACE_MS = 1200;
const NOTICE_MS = 7000;

export function Banners({ opened }: { readonly opened: Opened }): JSX.Element {
  const save = opened.production.save.value;
  const settled = useAfter(GRACE_MS);
  return (
    <div class="banners">
      {save.kind === "offline" && settled && (
        <p class="banner offline" role="status" data-testid="offline-banner">
          <Icon name="offline" />
          <span>
            <b>Offline.</b> The node doesn’t answer.{" "}
            {opened.keeps
              ? "You can go on working: changes are kept in this browser and sent when it is back."
              : "This browser keeps nothing for this page, so don’t close it before the node is back."}
          </span>
        </p>
      )}
      {save.kind === "refused" && (
        <p class="banner refused" role="alert" data-testid="offline-banner">
          <span>
            <b>Not connected.</b> {save.reason}{" "}
            {opened.keeps
              ? "What you change now reaches nobody: it is kept in this browser until the page is let in again."
              : "What you change now reaches nobody, and this browser doesn’t keep it."}
          </span>
        </p>
      )}
      {opened.outdated.value && (
        <p class="banner" role="status" data-testid="outdated">
          <span>The production’s sheets have changed.</span>
          <button type="button" onClick={() => location.reload()}>
            Show them
          </button>
        </p>
      )}
      {save.kind === "readOnly" && (
        <p class="banner" role="status">
          <b>View only.</b> {opened.production.lookOnly.value}
        </p>
      )}
    </div>
  );
}

function useAfter(ms: number): boolean {
  const [passed, setPassed] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      setPassed(true);
    }, ms);
    return () => {
      clearTimeout(timer);
    };
  }, [ms]);
  return passed;
}

export function Notices(): JSX.Element {
  const current = notice.value;
  useEffect(() => {
    if (current === null) return;
    const timer = setTimeout(() => {
      dismiss(current.id);
    }, NOTICE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [current]);
  return (
    <div class="notices" role="status" aria-live="polite" data-testid="notice">
      {current !== null && (
        <p key={current.id} class="notice">
          {current.text}
        </p>
      )}
    </div>
  );
}
