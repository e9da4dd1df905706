import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { FacetTable, registerOf, writeRegisters } from "../../src/data/registers";
import { readFacets } from "../../src/domain/schema";

const facet = readFacets({
  cues: { facets: { cue: { fields: { number: { type: "decimal" }, up: { was: ["fade"] }, notes: { type: "text" } } } } },
})[0];
if (facet === undefined) throw new Error("the schema has a facet");

function open(doc = new Y.Doc({ gc: false }), core = new Y.Doc()) {
  const others: string[] = [];
  let changes = 0;
  const table = new FacetTable(doc, core, facet as NonNullable<typeof facet>, (change) => {
    changes += 1;
    for (const [root, keys] of change.others) for (const key of keys) others.push(`${root}:${key}`);
  });
  return { doc, core, table, others, changes: () => changes };
}

const link = (a: Y.Doc, b: Y.Doc): void => {
  Y.applyUpdate(a, Y.encodeStateAsUpdate(b, Y.encodeStateVector(a)), "net");
  Y.applyUpdate(b, Y.encodeStateAsUpdate(a, Y.encodeStateVector(b)), "net");
};

const set = (key: string, value: string | number | boolean | null) => ({ root: "cues.cue", key, value });

describe("a facet's table", () => {
  it("shows what has a marker, or a field and no marker; not what is detached, deleted or merged away", () => {
    const { doc, core, table } = open();
    writeRegisters(doc, "cues", [set("a", true), set("b/number", "2"), set("c", true), set("c/number", "3"), set("d/number", "4")]);
    expect([...table.rows.keys()].sort()).toEqual(["a", "b", "c", "d"]);
    doc.getMap("cues.cue").set("c", null);
    core.getMap("core.entity").set("b", null);
    core.getMap("core.entity").set("d/redirect", "a");
    expect([...table.rows.keys()]).toEqual(["a"]);
    core.getMap("core.entity").set("b", true);
    expect([...table.rows.keys()].sort()).toEqual(["a", "b"]);
    core.getMap("core.entity").delete("b");
    expect([...table.rows.keys()]).toEqual(["a"]);
    core.getMap("core.entity").set("b", true);
    expect([...table.rows.keys()].sort()).toEqual(["a", "b"]);
  });
  it("shows and hides as the node does what outside programs mark in their own ways", () => {
    const { doc, table } = open();
    const cues = doc.getMap("cues.cue");
    for (const id of ["kept", "removed", "emptied", "no", "one"]) writeRegisters(doc, "cues", [set(id, true), set(`${id}/number`, id)]);
    cues.delete("removed");
    cues.set("emptied", undefined);
    cues.set("no", false);
    cues.set("one", 1);
    const shown = ["kept", "no", "one"];
    expect([...table.rows.keys()].sort()).toEqual(shown);
    const other = new Y.Doc();
    Y.applyUpdate(other, Y.encodeStateAsUpdate(doc));
    expect([...open(other).table.rows.keys()].sort()).toEqual(shown);
  });
  it("passes over keys outside the grammar", () => {
    const { doc, table } = open();
    doc.getMap("cues.cue").set("", 1);
    doc.getMap("cues.cue").set("a/b/c", 1);
    doc.getMap("cues.cue").set("x/1bad", 1);
    expect(table.rows.size).toBe(0);
  });
  it("makes new rows only for what changed", () => {
    const { doc, table } = open();
    writeRegisters(doc, "cues", [set("a/number", "1"), set("b/number", "2")]);
    const before = table.rows;
    writeRegisters(doc, "cues", [set("a/number", "3")]);
    expect(table.rows.get("b")).toBe(before.get("b"));
    expect(table.rows.get("a")).not.toBe(before.get("a"));
  });
  it("reads a field under its earlier key until the present one is written", () => {
    const { doc, table } = open();
    writeRegisters(doc, "cues", [set("a", true), set("a/fade", "5")]);
    expect(table.rows.get("a")?.values["up"]).toBe("5");
    writeRegisters(doc, "cues", [{ ...set("a/up", null), earlier: ["a/fade"] }]);
    expect(table.rows.get("a")?.values["up"]).toBeNull();
  });
  it("writes all keys of a field, and undoes to what it showed", () => {
    const { doc, table } = open();
    writeRegisters(doc, "cues", [set("a/fade", "5")]);
    const changes = writeRegisters(doc, "cues", [{ ...set("a/up", "7"), earlier: ["a/fade", "a/never"] }]);
    const keys = doc.getMap("cues.cue");
    expect([keys.get("a/up"), keys.get("a/fade"), keys.has("a/never")]).toEqual(["7", "7", false]);
    expect(changes.map(({ key, before, after }) => [key, before, after])).toEqual([["a/up", "5", "7"], ["a/fade", "5", "7"]]);
    writeRegisters(doc, "cues", changes.map(({ root, key, before }) => ({ root, key, value: before })));
    expect(table.rows.get("a")?.values["up"]).toBe("5");
    expect(writeRegisters(doc, "cues", [{ ...set("b/up", "1"), earlier: ["b/fade"] }])).toHaveLength(1);
  });
  it("is the same when opened on a full document as when it watched", () => {
    const { doc, core, table } = open();
    writeRegisters(doc, "cues", [set("a", true), set("a/number", "1"), set("b/number", "2"), { root: "text:cues.cue/a/notes", key: "", value: "hi" }]);
    const late = open(doc, core).table;
    expect(Object.fromEntries(late.rows)).toEqual(Object.fromEntries(table.rows));
    expect(late.rows.get("a")?.values["notes"]).toBe("hi");
  });
  it("tells what others wrote, and not what this page wrote", () => {
    const here = open();
    const there = new Y.Doc();
    writeRegisters(here.doc, "cues", [set("a/number", "1")]);
    there.getMap("cues.cue").set("b/number", "2");
    there.getText("text:cues.cue/b/notes").insert(0, "x");
    link(here.doc, there);
    expect(here.others.sort()).toEqual(["cues.cue:b/number", "text:cues.cue/b/notes:"]);
    expect(here.table.rows.get("b")?.values).toEqual({ number: "2", notes: "x" });
  });
});

describe("writing registers", () => {
  it("is one transaction, writes null to clear, and keeps every key", () => {
    const { doc, changes } = open();
    writeRegisters(doc, "cues", [set("a", true), set("a/number", "1")]);
    expect(changes()).toBe(1);
    writeRegisters(doc, "cues", [set("a/number", null)]);
    expect(doc.getMap("cues.cue").has("a/number")).toBe(true);
    expect(doc.getMap("cues.cue").get("a/number")).toBeNull();
  });
  it("writes nothing when nothing changes, so that no version without a meaning is made", () => {
    const { doc } = open();
    writeRegisters(doc, "cues", [set("a/number", "1")]);
    const before = Y.encodeStateVector(doc);
    expect(writeRegisters(doc, "cues", [set("a/number", "1")])).toEqual([]);
    expect(Y.encodeStateVector(doc)).toEqual(before);
  });
  it("changes only the part of a text that differs, so that both people's words stay", () => {
    const here = new Y.Doc();
    const there = new Y.Doc();
    const { root, key } = registerOf("cues.cue", "a", "notes", "text");
    writeRegisters(here, "cues", [{ root, key, value: "House to half, go 🎭 now" }]);
    link(here, there);
    writeRegisters(here, "cues", [{ root, key, value: "House to dark, go 🎭 now" }]);
    writeRegisters(there, "cues", [{ root, key, value: "House to half, go 🎪 now please" }]);
    link(here, there);
    expect(here.getText(root).toString()).toBe("House to dark, go 🎪 now please");
    expect(there.getText(root).toString()).toBe(here.getText(root).toString());
  });
  it("keeps both values of two pages of one browser that edited apart", () => {
    const first = new Y.Doc({ gc: false });
    const second = new Y.Doc({ gc: false });
    writeRegisters(first, "cues", [set("a/number", "1")]);
    writeRegisters(second, "cues", [set("a/number", "2")]);
    const reopened = new Y.Doc({ gc: false });
    Y.applyUpdate(reopened, Y.encodeStateAsUpdate(first));
    Y.applyUpdate(reopened, Y.encodeStateAsUpdate(second));
    const kept: unknown[] = [];
    Y.decodeUpdate(Y.encodeStateAsUpdate(reopened)).structs.forEach((struct) => {
      if (struct instanceof Y.Item) kept.push(...struct.content.getContent());
    });
    expect(kept.sort()).toEqual(["1", "2"]);
  });
});
