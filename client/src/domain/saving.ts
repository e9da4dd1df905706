/** What may be said about saving. "Saved here" only when the node has acknowledged everything that was sent. */

export interface LinkState {
  readonly document: string;
  readonly connected: boolean;
  /** The node and the page have exchanged what each lacked on this connection. */
  readonly synced: boolean;
  /** Sync messages (step 2 and updates) sent on this connection. */
  readonly sent: number;
  /** How many of them the node has said are durable. */
  readonly acknowledged: number;
  /** Own changes that the node hasn't acknowledged yet, on whatever connection. */
  readonly pending: number;
  /** The node lets this person look, not change. */
  readonly readOnly: boolean;
  /** Why the node refuses this page for good; "" while it doesn't. */
  readonly refused: string;
}

export type SaveState =
  | { readonly kind: "saved" }
  | { readonly kind: "saving" }
  | { readonly kind: "offline"; readonly pending: number }
  | { readonly kind: "readOnly" }
  | { readonly kind: "refused"; readonly reason: string };

export const freshLink = (document: string, pending = 0): LinkState => ({
  document, connected: false, synced: false, sent: 0, acknowledged: 0, pending, readOnly: false, refused: "",
}); // prettier-ignore

/** Everything this page ever sent or holds is durable on the node. */
export const settled = (link: LinkState): boolean =>
  link.connected && link.synced && link.sent > 0 && link.acknowledged >= link.sent;

/** `viewer`: the access token lets this person look only, so there is nothing of theirs to save. */
export function saveState(links: readonly LinkState[], viewer = false): SaveState {
  const refused = links.find((link) => link.refused !== "");
  if (refused !== undefined) return { kind: "refused", reason: refused.refused };
  if (links.length === 0 || links.some((link) => !link.connected)) {
    return { kind: "offline", pending: links.reduce((sum, link) => sum + link.pending, 0) };
  }
  if (viewer || links.some((link) => link.readOnly)) return { kind: "readOnly" };
  return links.every(settled) ? { kind: "saved" } : { kind: "saving" };
}

export function saveWords(state: SaveState): string {
  switch (state.kind) {
    case "saved":
      return "Saved here";
    case "saving":
      return "Saving…";
    case "readOnly":
      return "View only";
    case "refused":
      return "Not connected";
    case "offline":
      return state.pending === 0
        ? "Offline: no changes waiting"
        : `Offline: ${state.pending} ${state.pending === 1 ? "change" : "changes"} kept in this browser`;
  }
}
