/** Small line icons, drawn here, so that the page needs no font and no network. Decoration only: text says it too. */
import type { JSX } from "preact";

const PATHS = {
  flag: "M4 2v12M4 3h8l-2 3 2 3H4",
  up: "M4 10l4-4 4 4",
  down: "M4 6l4 4 4-4",
  close: "M4 4l8 8M12 4l-8 8",
  undo: "M3 6h7a3.5 3.5 0 0 1 0 7H6M6 3L3 6l3 3",
  redo: "M13 6H6a3.5 3.5 0 0 0 0 7h4M10 3l3 3-3 3",
  plus: "M8 3v10M3 8h10",
  trash: "M3 4.5h10M6.5 4V2.5h3V4M5 4.5l.5 9h5l.5-9",
  search: "M7 11.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9zM10.5 10.5L14 14",
  sun: "M8 10.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5zM8 1.5v1.5M8 13v1.5M1.5 8H3M13 8h1.5M3.4 3.4l1 1M11.6 11.6l1 1M12.6 3.4l-1 1M4.4 11.6l-1 1",
  clock: "M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 4.5V8l2.5 1.5",
  check: "M3 8.5l3.5 3.5L13 4.5",
  help: "M6 6a2 2 0 1 1 2.6 1.9c-.4.2-.6.5-.6 1v.6M8 11.8v.4M8 14.5a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13z",
  offline: "M2 2l12 12M5 6.2A6.5 6.5 0 0 0 2.8 8M8 5c2 0 3.800.7 5.200 2M5 10a4.200 4.200 0 0 1 3-1.200M8 12.500v.1",
  back: "M10 3L5 8l5 5",
  link: "M6.5 9.5l3-3M7 4.8l1.2-1.2a2.8 2.8 0 0 1 4 4L11 8.8M9 11.2l-1.2 1.2a2.8 2.8 0 0 1-4-4L5 7.2",
  relate: "M5 4a1.500 1.500 0 1 1-3 0 1.500 1.500 0 0 1 3 0zM14 12a1.500 1.500 0 1 1-3 0 1.500 1.500 0 0 1 3 0zM3.500 5.500V9a3 3 0 0 0 3 3H11",
  devices: "M2 3.5h8v6H2zM1 12h7M10.500 6.500h4v6.500h-4z",
  into: "M8 2.5v7M5 6.500l3 3 3-3M2.500 10v3.500h11V10",
  merge: "M4 2.5v3c0 2.5 4 2.5 4 5v3M12 2.5v3c0 2.5-4 2.5-4 5M6 12l2 2 2-2",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { readonly name: IconName }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round" />
    </svg>
  );
}
