import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { openDocument, type OpenDocument } from "../../src/data/documents";
import { writeRegisters } from "../../src/data/registers";
import { openStore } from "../../src/data/store";

/** The browser's storage for this test; the documents' own store is IndexedDB, here in memory. */
function memoryStorage(): Storage {
  const kept = new Map<string, string>();
  return {
    get length() {
      return kept.size;
    },
    key: (index) => [...kept.keys()][index] ?? null,
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => void kept.set(key, value),
    removeItem: (key) => void kept.delete(key),
    clear: () => kept.clear(),
  };
}

const pages: OpenDocument[] = [];

async function openPage(workspace: string): Promise<OpenDocument> {
  const options = { socketUrl: "ws://127.0.0.1:1", workspace, token: "t", keeps: true, onLink: () => {} };
  const page = await openDocument("cues", options);
  pages.push(page);
  return page;
}

/** As when a tab is closed: nothing is told to anybody. */
function close(page: OpenDocument): void {
  page.link.destroy();
  page.doc.destroy();
}

const edit = (page: OpenDocument, key: string, value: string): void =>
  void writeRegisters(page.doc, "cues", [{ root: "cues.cue", key, value }]);

const valuesKept = (doc: Y.Doc): unknown[] =>
  Y.decodeUpdate(Y.encodeStateAsUpdate(doc))
    .structs.flatMap((struct) => (struct instanceof Y.Item ? (struct.content.getContent() as unknown[]) : []))
    .sort();

describe("documents kept in the browser", () => {
  beforeEach(() => {
    vi.stubGlobal("localStorage", memoryStorage());
    vi.stubGlobal("WebSocket", WebSocket);
  });
  afterEach(() => {
    for (const page of pages.splice(0)) close(page);
    vi.unstubAllGlobals();
  });

  it("are there after a reload without the node, once each, with the count of what waits", async () => {
    const first = await openPage("reload");
    edit(first, "a/x", "1");
    edit(first, "a/x", "2");
    edit(first, "b/x", "3");
    const before = Y.encodeStateAsUpdate(first.doc);
    close(first);
    for (let reload = 0; reload < 3; reload += 1) {
      const page = await openPage("reload");
      expect(Y.encodeStateAsUpdate(page.doc)).toEqual(before);
      expect(page.link.state.pending).toBe(3);
      expect(page.doc.clientID).not.toBe(first.doc.clientID);
      close(page);
    }
  });

  it("keep both values when two pages of one browser edited apart", async () => {
    const one = await openPage("apart");
    const two = await openPage("apart");
    edit(one, "a/x", "from one");
    edit(two, "a/x", "from two");
    close(one);
    close(two);
    const later = await openPage("apart");
    expect(valuesKept(later.doc)).toEqual(["from one", "from two"]);
    expect(later.link.state.pending).toBe(2);
  });

  it("stay apart between workspaces", async () => {
    const one = await openPage("this");
    edit(one, "a/x", "1");
    close(one);
    const other = await openPage("that");
    expect(other.doc.getMap("cues.cue").size).toBe(0);
    expect(other.link.state.pending).toBe(0);
  });
});

describe("the store for what the page needs without the node", () => {
  it("gives back what it was given", async () => {
    const store = await openStore();
    await store?.set("workspace", { id: "w", plugins: {} });
    expect(await (await openStore())?.get("workspace")).toEqual({ id: "w", plugins: {} });
    expect(await store?.get("nothing")).toBeUndefined();
  });
});
