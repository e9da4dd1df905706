import type { JSX } from "preact";

/** Why the buttons below do nothing now. */
export function Barred({ reason }: { readonly reason: string }): JSX.Element {
  return (
    <p class="barred" role="status" data-testid="barred">
      {reason}
    </p>
  );
}
