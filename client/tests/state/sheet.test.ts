import { signal, type Signal } from "@preact/signals";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import * as Y from "yjs";
import { Api, readWorkspace } from "../../src/data/api";
import type { OpenDocument } from "../../src/data/documents";
import { Link } from "../../src/data/link";
import { at, extendTo } from "../../src/domain/selection";
import { notice } from "../../src/state/notices";
import type { Presence } from "../../src/state/presence";
import { createProduction, type Production } from "../../src/state/production";
import { createSheet, type Sheet } from "../../src/state/sheet";

const json = {
  id: "w", name: "Hamlet", documents: ["core", "cues"],
  plugins: {
    cues: {
      facets: {
        cue: {
          label: "Cue", title: "{list} {number}", unique: [["list", "number"]],
          fields: {
            list: { label: "List" }, number: { type: "decimal", label: "Q" }, label: { label: "Label" },
            up: { type: "duration", label: "Up" }, notes: { type: "text", label: "Notes" },
          },
        },
      },
    },
  },
}; // prettier-ignore

function openDocument(name: string): OpenDocument {
  const doc = new Y.Doc({ gc: false });
  const options = { url: "ws://127.0.0.1:1/yjs/w", document: name, token: "", pending: 0, keepPending: () => {}, onChange: () => {} };
  return { name, doc, link: new Link(doc, { ...options, socket: WebSocket as unknown as typeof globalThis.WebSocket }) };
}

describe("a sheet on a real document", () => {
  let doc: Y.Doc;
  let production: Production;
  let sheet: Sheet;
  let visited: string[];
  let barred: Signal<string>;
  afterEach(() => {
    for (const { link } of production.documents.values()) link.destroy();
  });

  const remotely = (change: (map: Y.Map<unknown>) => void): void => {
    const other = new Y.Doc({ gc: false });
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
    change(other.getMap("cues.cue"));
    Y.applyUpdate(doc, Y.encodeStateAsUpdate(other, Y.encodeStateVector(doc)), "net");
  };
  const text = (field: string): unknown[] => sheet.rows.value.map((row) => row.values[field]);

  beforeEach(() => {
    const info = readWorkspace(json);
    const facet = info?.facets[0];
    if (info === null || facet === undefined) throw new Error("the workspace has a facet");
    const cues = openDocument("cues");
    doc = cues.doc;
    doc.transact(() => {
      const map = doc.getMap("cues.cue");
      for (const number of ["43", "42", "5"]) {
        map.set(`c${number}`, true);
        map.set(`c${number}/list`, "LX");
        map.set(`c${number}/number`, number);
      }
    });
    visited = [];
    barred = signal("");
    const presence = { moveTo: (_facet: string, entity: string, field: string) => visited.push(`${entity}/${field}`) };
    production = createProduction(info, new Api(""), new Map([["core", openDocument("core")], ["cues", cues]]), signal([]), barred);
    sheet = createSheet(production, presence as unknown as Presence, facet);
  });

  it("shows console order, and the cursor stays on its cue when somebody renumbers", () => {
    expect(text("number")).toEqual(["5", "42", "43"]);
    sheet.select(at(1, 2));
    expect(visited.at(-1)).toBe("c42/label");
    remotely((map) => map.set("c42/number", "99"));
    expect(text("number")).toEqual(["5", "43", "99"]);
    expect(sheet.selection.value.active).toEqual({ row: 2, col: 2 });
    expect(visited.at(-1)).toBe("c42/label");
  });

  it("writes what is typed, undoes it with null, and does it again", () => {
    sheet.select(at(0, 3));
    sheet.editing.begin("replace", "1:3");
    sheet.editing.type("1:30");
    expect(sheet.editing.commit()).toBe(true);
    expect(doc.getMap("cues.cue").get("c5/up")).toBe(90);
    expect(production.undoLabel.value).toBe("LX 5 Up");
    production.undo();
    expect(doc.getMap("cues.cue").has("c5/up")).toBe(true);
    expect(doc.getMap("cues.cue").get("c5/up")).toBeNull();
    production.redo();
    expect(doc.getMap("cues.cue").get("c5/up")).toBe(90);
  });

  it("never undoes over what somebody else wrote", () => {
    sheet.select(at(0, 2));
    sheet.editing.begin("replace", "mine");
    sheet.editing.commit();
    remotely((map) => map.set("c5/label", "theirs"));
    expect(production.undo()).toBeNull();
    expect(doc.getMap("cues.cue").get("c5/label")).toBe("theirs");
  });

  it("keeps the editor open on what it can't read, and on what changed meanwhile", () => {
    sheet.select(at(0, 3));
    sheet.editing.begin("replace", "soon");
    expect(sheet.editing.commit()).toBe(false);
    expect(sheet.editing.draft.value?.problem).toContain("duration");
    sheet.editing.type("7");
    remotely((map) => map.set("c5/up", 4));
    expect(sheet.editing.commit()).toBe(false);
    expect(sheet.editing.draft.value?.problem).toContain("just set “4”");
    expect(sheet.editing.commit(false)).toBe(false);
    expect(doc.getMap("cues.cue").get("c5/up")).toBe(4);
    expect(sheet.editing.commit()).toBe(true);
    expect(doc.getMap("cues.cue").get("c5/up")).toBe(7);
  });

  it("keeps what is typed in sight when others take its row away, and writes nothing where nobody sees it", () => {
    sheet.filterBy("LX");
    sheet.select(at(1, 2));
    sheet.editing.begin("replace", "Blackout");
    remotely((map) => map.set("c42/list", "SND"));
    expect(text("number")).toEqual(["5", "43", "42"]);
    remotely((map) => map.set("c42", null));
    expect(text("number")).toEqual(["5", "42", "43"]);
    expect([sheet.total.value, sheet.title("c42")]).toEqual([3, "LX 42"]);
    expect(sheet.editing.draft.value).toMatchObject({ text: "Blackout", problem: expect.stringContaining("deleted this row") as string });
    expect(sheet.editing.commit()).toBe(false);
    expect(sheet.editing.commit()).toBe(false);
    expect(doc.getMap("cues.cue").has("c42/label")).toBe(false);
    sheet.editing.type("Blackout!");
    expect(sheet.editing.draft.value?.problem).toContain("deleted this row");
    expect(sheet.editing.unsaved()).toBe(true);
    sheet.editing.cancel();
    expect(text("number")).toEqual(["5", "43"]);
    expect(sheet.editing.unsaved()).toBe(false);
  });

  it("writes nothing for who may no longer change anything", () => {
    sheet.select(at(0, 2));
    sheet.editing.begin("replace", "Dawn");
    barred.value = "This device was removed.";
    expect(sheet.editing.commit()).toBe(false);
    expect(sheet.editing.draft.value?.problem).toContain("was removed");
    expect(doc.getMap("cues.cue").has("c5/label")).toBe(false);
  });

  it("says what of a pasted block has no column", () => {
    sheet.select(at(0, 3));
    sheet.editing.paste("5\tnote\tlost\t");
    expect(notice.value?.text).toBe("One cell wasn’t pasted. There is no column for it.");
  });

  it("adds a row after the cursor with the number in between, whole in one undo", () => {
    sheet.select(at(1, 2));
    sheet.editing.addRow();
    expect(text("number")).toEqual(["5", "42", "42.5", "43"]);
    const made = sheet.rows.value[2]?.entity ?? "";
    expect(made).toMatch(/^cue_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(sheet.selection.value.active.row).toBe(2);
    production.undo();
    expect(text("number")).toEqual(["5", "42", "43"]);
    expect(doc.getMap("cues.cue").get(made)).toBeNull();
  });

  it("copies, pastes into new rows, clears, all as steps", () => {
    sheet.select(extendTo(at(1, 0), { row: 2, col: 1 }));
    expect(sheet.editing.copy()).toBe("LX\t42\r\nLX\t43");
    sheet.select(at(2, 2));
    sheet.editing.paste("Dawn\t5\nDusk\tnever\n");
    expect(text("label")).toEqual([undefined, undefined, "Dawn", "Dusk"]);
    expect(notice.value?.text).toContain("One cell wasn’t pasted");
    production.undo();
    expect(sheet.rows.value).toHaveLength(3);
    expect(text("label")).toEqual([undefined, undefined, null]);
    sheet.select(extendTo(at(0, 0), { row: 0, col: 3 }));
    sheet.editing.clear();
    expect(doc.getMap("cues.cue").get("c5/number")).toBeNull();
    expect(text("number")).toEqual(["42", "43", null]);
    production.undo();
    expect(text("number")).toEqual(["5", "42", "43"]);
  });

  it("writes notes into their text, and takes them back", () => {
    sheet.select(at(0, 4));
    sheet.editing.begin("replace", "Wait for the bell.");
    sheet.editing.commit();
    expect(doc.getText("text:cues.cue/c5/notes").toString()).toBe("Wait for the bell.");
    expect(sheet.rows.value[0]?.values["notes"]).toBe("Wait for the bell.");
    production.undo();
    expect(doc.getText("text:cues.cue/c5/notes").toString()).toBe("");
  });

  it("filters, scopes and sorts, and finds a hidden cell again", () => {
    remotely((map) => {
      map.set("s1/list", "SND");
      map.set("s1/number", "1");
    });
    expect(sheet.scopes.value).toEqual(["LX", "SND"]);
    sheet.scopeTo("SND");
    expect(text("number")).toEqual(["1"]);
    sheet.filterBy("nothing of the kind");
    expect(sheet.rows.value).toEqual([]);
    expect(sheet.goTo("c42", "up")).toBe(true);
    expect(sheet.rows.value[sheet.selection.value.active.row]?.entity).toBe("c42");
    sheet.sortBy("number");
    sheet.sortBy("number");
    expect(text("number")).toEqual(["43", "42", "5", "1"]);
    expect(sheet.goTo("nobody", "up")).toBe(false);
  });
});
