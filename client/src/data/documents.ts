/** The documents of a workspace, kept in this browser and linked to the node. */
import { IndexeddbPersistence } from "y-indexeddb";
import * as Y from "yjs";
import type { LinkState } from "../domain/saving";
import { Link } from "./link";
import { PendingCount } from "./pending";

export interface OpenDocument {
  readonly name: string;
  readonly doc: Y.Doc;
  readonly link: Link;
}

export interface DocumentOptions {
  readonly socketUrl: string;
  readonly workspace: string;
  readonly token: string;
  /** Whether this browser keeps documents at all. */
  readonly keeps: boolean;
  readonly onLink: (state: LinkState) => void;
}

/**
 * Open one document: first from this browser, then, once `connect` is called, from the node.
 *
 * `gc: false`, because a collecting document forgets the value that lost when two pages of this browser had edited
 * apart, before the node ever heard of it. Client ids are Yjs's own, fresh for every page: one used twice would let two
 * edits bear the same name.
 */
export async function openDocument(name: string, options: DocumentOptions): Promise<OpenDocument> {
  const doc = new Y.Doc({ gc: false });
  if (options.keeps) await new IndexeddbPersistence(`openprod/${options.workspace}/${name}`, doc).whenSynced;
  const pending = new PendingCount(localStorage, `openprod.pending/${options.workspace}/${name}`, crypto.randomUUID());
  const link = new Link(doc, {
    url: `${options.socketUrl}/yjs/${encodeURIComponent(options.workspace)}`,
    document: name,
    token: options.token,
    pending: pending.atStart,
    keepPending: (count) => {
      pending.keep(count);
    },
    onChange: options.onLink,
  });
  return { name, doc, link };
}
