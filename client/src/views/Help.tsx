import type { JSX } from "preact";
import { Dialog } from "../ui/Dialog";

const KEYS: readonly (readonly [keys: string, does: string])[] = [
  ["Arrows, PgUp, PgDn", "move"],
  ["Ctrl + arrows, Home, End", "move to the edge"],
  ["Shift + any of these, or drag", "select a range"],
  ["Any letter, F2, double click", "edit the cell"],
  ["Enter, Tab, with Shift back", "write and move on"],
  ["Esc", "give up the edit; close a panel"],
  ["Delete", "clear the cells"],
  ["Ctrl + C, X, V", "copy, cut, paste, also from and to Excel"],
  ["Ctrl + Z, Ctrl + Y", "undo and redo your own changes"],
  ["Ctrl + Enter", "add a row below, numbered in between"],
  ["Alt + Enter", "open the cell’s conflict, or the row’s history"],
  ["Alt + S", "sort by this column"],
  ["F6", "go to the next part of the page"],
];

export function Help({ onClose }: { readonly onClose: () => void }): JSX.Element {
  return (
    <Dialog title="Keys" onClose={onClose}>
      <table class="keys">
        <tbody>
          {KEYS.map(([keys, does]) => (
            <tr key={keys}>
              <th scope="row">{keys}</th>
              <td>{does}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="hint">On a Mac, Cmd does what Ctrl does.</p>
      <div class="buttons">
        <button type="button" class="primary" onClick={onClose}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
