/** One sentence at a time to the person, shown and read out. */
import { signal, type ReadonlySignal } from "@preact/signals";

export interface Notice {
  readonly text: string;
  /** Tells two equal sentences apart. */
  readonly id: number;
}

const current = signal<Notice | null>(null);
let count = 0;

export const notice: ReadonlySignal<Notice | null> = current;

export function tell(text: string): void {
  count += 1;
  current.value = { text, id: count };
}

export function dismiss(id: number): void {
  if (current.value?.id === id) current.value = null;
}
