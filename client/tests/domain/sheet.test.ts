import { describe, expect, it } from "vitest";
import { planPaste } from "../../src/domain/paste";
import { defaultFacet, edgesAt, readEdges, readFacets } from "../../src/domain/schema";
import { advance, at, extendTo, move, rangeOf, type Extent } from "../../src/domain/selection";
import { defaultSort, filterRows, gistOf, sortRows, titleOf, type Row } from "../../src/domain/table";
import { fromTsv, toTsv } from "../../src/domain/tsv";

const record = {
  plugin: "cues",
  facets: {
    note: { fields: { text: {} } },
    cue: {
      label: "Cue", title: "{list} {number}", unique: [["list", "number"]],
      fields: {
        label: { label: "Label" }, list: { label: "List" },
        number: { type: "decimal", label: "Q" }, up: { type: "duration", was: ["fade"] },
      },
    },
  },
}; // prettier-ignore
const facets = readFacets({ cues: record });
const cue = facets.find((facet) => facet.name === "cues.cue") ?? facets[0];
if (cue === undefined) throw new Error("the schema has facets");
const row = (entity: string, values: Row["values"]): Row => ({ entity, values });

describe("schema", () => {
  it("opens with what is named and told apart, its telling fields first and frozen", () => {
    expect(defaultFacet(facets)).toBe(cue);
    expect(cue.columns.map((column) => column.field)).toEqual(["list", "number", "label", "up"]);
    expect(cue.frozen).toBe(2);
  });
  it("passes over what it doesn't know", () => {
    expect(readFacets({ x: { facets: { y: { fields: { z: 7 } } } }, broken: null })).toHaveLength(1);
    expect(readFacets(undefined)).toEqual([]);
  });
});

describe("rows of the same name", () => {
  it("are told apart by what else stands in them", () => {
    const same = { list: "LX", number: "42" };
    expect(gistOf(cue, row("a", { ...same, label: "House to half", up: 90 }))).toBe("House to half · 1:30");
    expect(gistOf(cue, row("b", same))).toBe("");
  });
});

describe("rows", () => {
  const rows = [
    row("c", { list: "SND", number: "1" }), row("a", { list: "LX", number: "42.5" }), row("d", { list: "LX", number: "42" }),
    row("b", { list: "LX", number: "42" }), row("e", {}), row("f", { list: "LX", number: "5", label: "Dawn, slow" }),
  ]; // prettier-ignore
  it("stand in console order within their list, equal ones by id, empty ones last", () => {
    expect(sortRows(rows, defaultSort(cue)).map((r) => r.entity)).toEqual(["f", "b", "d", "a", "c", "e"]);
  });
  it("are filtered by words that stand anywhere", () => {
    expect(filterRows(rows, cue.columns, "lx SLOW").map((r) => r.entity)).toEqual(["f"]);
    expect(filterRows(rows, cue.columns, "  ")).toHaveLength(rows.length);
  });
  it("are named by the template, and by their id when it has nothing to say", () => {
    expect(titleOf(cue, row("x", { list: "LX", number: "42" }))).toBe("LX 42");
    expect(titleOf(cue, row("x", { list: "LX" }))).toBe("LX");
    expect(titleOf(cue, row("x", {}))).toBe("x");
  });
  it("say a date as people do", () => {
    const call = { ...cue, title: "{label} {list:day}" };
    expect(titleOf(call, row("x", { label: "Fight", list: "2026-11-24" }))).toBe("Fight Tue 24 Nov");
    expect(titleOf(call, row("x", { label: "Fight", list: "2026-03-01T09:00" }))).toBe("Fight Sun 1 Mar");
    expect(titleOf(call, row("x", { label: "Fight", list: "2026-02-30" }))).toBe("Fight 2026-02-30");
    expect(titleOf(call, row("x", {}))).toBe("x");
  });
});

describe("moving about", () => {
  const extent: Extent = { rows: 10, cols: 4, page: 5 };
  it("stays in the sheet", () => {
    expect(move(at(0, 0), "up", extent).active).toEqual({ row: 0, col: 0 });
    expect(move(at(8, 3), "pageDown", extent).active).toEqual({ row: 9, col: 3 });
    expect(move(at(5, 2), "last", extent).active).toEqual({ row: 9, col: 3 });
  });
  it("extends from the active cell", () => {
    const extended = move(move(at(3, 1), "down", extent, true), "right", extent, true);
    expect(extended.active).toEqual({ row: 3, col: 1 });
    expect(rangeOf(extended)).toEqual({ top: 3, bottom: 4, left: 1, right: 2 });
  });
  it("goes round a range and keeps it", () => {
    let selection = extendTo(at(1, 1), { row: 2, col: 2 });
    const seen = Array.from({ length: 4 }, () => {
      selection = advance(selection, "tab", false, extent);
      return `${selection.active.row}${selection.active.col}`;
    });
    expect(seen).toEqual(["12", "21", "22", "11"]);
    expect(rangeOf(selection)).toEqual({ top: 1, bottom: 2, left: 1, right: 2 });
    expect(advance(selection, "enter", true, extent).active).toEqual({ row: 2, col: 2 });
  });
  it("wraps Tab to the next row", () => {
    expect(advance(at(1, 3), "tab", false, extent).active).toEqual({ row: 2, col: 0 });
    expect(advance(at(1, 0), "tab", true, extent).active).toEqual({ row: 0, col: 3 });
  });
});

describe("the clipboard", () => {
  it.each([
    [[["a", "b"], ["c", "d"]]],
    [[['say "go"', "two\nlines"], ["tab\there", ""]]],
    [[["", ""], ["", ""]]],
  ])("reads back what it writes: %j", (cells) => {
    expect(fromTsv(toTsv(cells))).toEqual(cells);
  });
  it("takes Excel's closing line end, and any line end", () => {
    expect(fromTsv("a\tb\r\nc\td\r\n")).toEqual([["a", "b"], ["c", "d"]]);
    expect(fromTsv("a\rb\nc")).toEqual([["a"], ["b"], ["c"]]);
  });
  it("leaves a quote that isn't one as typed", () => {
    expect(fromTsv('"Fog" on\tx')).toEqual([['"Fog" on', "x"]]);
    expect(fromTsv('"never closed\tx')).toEqual([['"never closed', "x"]]);
  });
});

describe("pasting", () => {
  const rows = [row("a", {}), row("b", {}), row("c", {})];
  const range = (top: number, left: number, bottom = top, right = left) => ({ top, left, bottom, right });
  it("fills a range with a single cell", () => {
    const plan = planPaste([["5"]], range(0, 3, 2, 3), rows, cue.columns);
    expect(plan.writes.map((w) => [w.entity, w.column.field, w.value])).toEqual([["a", "up", 5], ["b", "up", 5], ["c", "up", 5]]);
  });
  it("runs on into new rows, leaves out what doesn't fit, and says so", () => {
    const plan = planPaste([["1", "x"], ["y?", "z"], ["3"]], range(2, 1), rows, cue.columns);
    expect(plan.writes.map((w) => [w.entity, w.row, w.column.field, w.value])).toEqual([
      ["c", 2, "number", "1"], ["c", 2, "label", "x"], [null, 3, "label", "z"], [null, 4, "number", "3"],
    ]); // prettier-ignore
    expect(plan.problems).toHaveLength(1);
    expect(plan.problems[0]).toContain("Q, row 4");
  });
  it("ignores columns beyond the last", () => {
    expect(planPaste([["1", "2", "3"]], range(0, 3), rows, cue.columns).writes).toHaveLength(1);
  });
});

describe("relations that a schema declares", () => {
  const edges = readEdges({
    cues: { edges: { part_of: { source: "part", target: "cue", cardinality: "one" }, called_in: { label: "called in", source: "cue" } } },
    script: { edges: { speaks_in: { source: "role", target: "scene", properties: { speeches: { type: "integer" } } } } },
    broken: { edges: 7 },
  });
  it("name their ends in full, any where none is said", () => {
    expect(edges.map(({ name, label, source, target, one }) => [name, label, source, target, one])).toEqual([
      ["cues.part_of", "part of", "cues.part", "cues.cue", true],
      ["cues.called_in", "called in", "cues.cue", "*", false],
      ["script.speaks_in", "speaks in", "script.role", "script.scene", false],
    ]);
    expect(edges[2]?.properties[0]).toMatchObject({ field: "speeches", label: "Speeches", type: "integer" });
  });
  it("are offered where a row may be their end", () => {
    const names = (end: "source" | "target", facet: string): string[] => edgesAt(edges, end, [facet]).map(({ name }) => name);
    expect(names("source", "cues.cue")).toEqual(["cues.called_in"]);
    expect(names("target", "cues.cue")).toEqual(["cues.part_of", "cues.called_in"]);
    expect(names("source", "script.scene")).toEqual([]);
  });
});
