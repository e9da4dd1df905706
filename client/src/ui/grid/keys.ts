/** What a key does in the sheet while no cell is being edited. */
import type { Move } from "../../domain/selection";

export type Command =
  | { readonly do: "move"; readonly way: Move; readonly extend: boolean }
  | { readonly do: "advance"; readonly by: "tab" | "enter"; readonly back: boolean }
  | { readonly do: "edit" }
  | { readonly do: "replace"; readonly text: string }
  | { readonly do: "clear" | "cancel" | "selectAll" | "undo" | "redo" | "addRow" | "open" | "sort" | "toggle" | "compose" };

const MOVES: Readonly<Record<string, readonly [plain: Move, withCtrl: Move]>> = {
  ArrowUp: ["up", "top"],
  ArrowDown: ["down", "bottom"],
  ArrowLeft: ["left", "rowStart"],
  ArrowRight: ["right", "rowEnd"],
  PageUp: ["pageUp", "pageUp"],
  PageDown: ["pageDown", "pageDown"],
  Home: ["rowStart", "first"],
  End: ["rowEnd", "last"],
};

type KeyLike = Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey" | "shiftKey" | "altKey">;

export function commandOf(event: KeyLike): Command | null {
  const { key, shiftKey, altKey } = event;
  const ctrl = event.ctrlKey || event.metaKey;
  if (altKey) return altCommand(event);
  const way = MOVES[key];
  if (way !== undefined) return { do: "move", way: way[ctrl ? 1 : 0], extend: shiftKey };
  if (ctrl) return ctrlCommand(key.toLowerCase(), shiftKey);
  switch (key) {
    case "Enter":
      return { do: "advance", by: "enter", back: shiftKey };
    case "Tab":
      return { do: "advance", by: "tab", back: shiftKey };
    case "F2":
      return { do: "edit" };
    case "Delete":
    case "Backspace":
      return { do: "clear" };
    case "Escape":
      return { do: "cancel" };
    case "Process":
    case "Dead":
      return { do: "compose" };
    case " ":
      return { do: "toggle" };
    default:
      return [...key].length === 1 ? { do: "replace", text: key } : null;
  }
}

function altCommand({ key, ctrlKey, metaKey }: KeyLike): Command | null {
  // AltGr, which types characters on many keyboards, comes as Ctrl with Alt.
  if (ctrlKey && !metaKey && [...key].length === 1) return { do: "replace", text: key };
  if (key === "Enter") return { do: "open" };
  if (key.toLowerCase() === "s") return { do: "sort" };
  return null;
}

function ctrlCommand(key: string, shift: boolean): Command | null {
  if (key === "z") return { do: shift ? "redo" : "undo" };
  if (key === "y") return { do: "redo" };
  if (key === "a") return { do: "selectAll" };
  if (key === "enter") return { do: "addRow" };
  return null;
}
