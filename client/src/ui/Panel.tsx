/** A panel beside the sheet. Esc closes it; opening it moves the focus into it, closing gives it back. */
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Icon } from "./Icon";

interface Props {
  readonly title: string;
  readonly testId: string;
  readonly onClose: () => void;
  readonly onBack?: (() => void) | undefined;
  /** What the way back is called. */
  readonly back?: string;
  readonly children: ComponentChildren;
}

export function Panel({ title, testId, onClose, onBack, back = "Back to all conflicts", children }: Props): JSX.Element {
  const panel = useRef<HTMLElement | null>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && panel.current?.contains(document.activeElement) === true) onClose();
    };
    addEventListener("keydown", onKey);
    return () => {
      removeEventListener("keydown", onKey);
    };
  }, [onClose]);
  useLayoutEffect(() => {
    const before = document.activeElement;
    panel.current?.querySelector<HTMLElement>("h2")?.focus();
    return () => {
      const back = before instanceof HTMLElement && before.isConnected && before !== document.body ? before : null;
      (back ?? document.querySelector<HTMLElement>("[role=grid]"))?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <aside
      ref={panel}
      class="panel"
      aria-label={title}
      data-testid={testId}
      data-region="panel"
    >
      <header class="panel-head">
        {onBack !== undefined && (
          <button type="button" class="plain" aria-label={back} onClick={onBack}>
            <Icon name="back" />
          </button>
        )}
        <h2 tabIndex={-1}>{title}</h2>
        <button type="button" class="plain" aria-label={`Close ${title}`} onClick={onClose}>
          <Icon name="close" />
        </button>
      </header>
      <div class="panel-body">{children}</div>
    </aside>
  );
}
