import { describe, expect, it } from "vitest";
import { Bonds, noBonds, type IdentityRegisters } from "../../src/domain/bonds";
import { flagAt, flagsOf, placesOf, sayDefinition, THING, writtenIn, type Conflict } from "../../src/domain/conflicts";
import { cellId } from "../../src/domain/keys";
import { followRedirects } from "../../src/domain/redirects";
import type { Value } from "../../src/domain/values";

const redirects = (targets: Record<string, string>) => followRedirects(new Map(Object.entries(targets)));

describe("redirects", () => {
  it("follow chains to their end", () => {
    const { survivors, absorbed } = redirects({ c: "b", b: "a" });
    expect([...survivors]).toEqual([["b", "a"], ["c", "a"]]); // prettier-ignore
    expect(absorbed.get("a")).toEqual(["b", "c"]);
  });
  it("leave of a ring the lowest id, also for what leads into it", () => {
    const { survivors, absorbed } = redirects({ b: "c", c: "b", d: "c" });
    expect([...survivors]).toEqual([["c", "b"], ["d", "b"]]); // prettier-ignore
    expect(absorbed.get("b")).toEqual(["c", "d"]);
  });
  it("compare ids as every other program does: by code point", () => {
    // In UTF-16 the surrogates of the second sort before the first.
    const [low, high] = ["\uff5e", "\u{10000}"];
    expect([...redirects({ [low]: high, [high]: low }).survivors]).toEqual([[high, low]]);
  });
});

const registers = (over: Partial<Record<"bindings" | "things", Record<string, Value>>> = {}): IdentityRegisters => ({
  concepts: Object.entries({
    Person: { name: "Person", order: ["phone", "gone", 7], fields: { name: { type: "string", label: "Name" }, email: {}, phone: {} } },
    Broken: { name: "Other", fields: {} },
  }),
  bindings: Object.entries({
    "contacts.person": { facet: "contacts.person", concept: "Person", fields: { name: "name", phone: "phone" } },
    "schedule.attendee": { facet: "schedule.attendee", concept: "Person", fields: { name: "displayName" } },
    "john/contacts.person": "c1",
    "js/schedule.attendee": "c1",
    "gone/schedule.attendee": null,
    "kit/schedule.attendee": "dissolved",
    ...over.bindings,
  }),
  things: Object.entries({ c1: "Person", dissolved: null, "c1/name": "John", ...over.things }),
  rules: Object.entries({ Person: [["name"], ["phone"]], x: "not a rule" }),
  redirects: redirects({ johnny: "john", js2: "js" }),
  present: (_facet, field) => (field === "oldName" ? "displayName" : field),
});

describe("bonds", () => {
  const bonds = new Bonds(registers());
  it("know what is defined, in the order that people gave it, and pass over what isn't a definition", () => {
    expect([...bonds.concepts.keys()]).toEqual(["Person"]);
    expect(bonds.concepts.get("Person")?.fields.map(({ field, label }) => [field, label])).toEqual([
      ["phone", "Phone"], ["email", "Email"], ["name", "Name"],
    ]); // prettier-ignore
    expect([...bonds.rules]).toEqual([["Person", [["name"], ["phone"]]]]);
  });
  it("know what belongs to a thing, and not what was dissolved", () => {
    expect(bonds.members("c1")).toEqual([
      { facet: "contacts.person", entity: "john" },
      { facet: "schedule.attendee", entity: "js" },
    ]);
    expect(bonds.thingsOf("Person")).toEqual(["c1"]);
    expect(bonds.owner("schedule.attendee", "kit")).toBeNull();
    expect(bonds.belongsTo("js")).toEqual([{ facet: "schedule.attendee", thing: "c1" }]);
  });
  it("take a merged entity for its survivor", () => {
    expect(bonds.owner("contacts.person", "johnny")).toBe("c1");
    const joined = new Bonds(registers({ bindings: { "js/schedule.attendee": null, "js2/schedule.attendee": "c1" } }));
    expect(joined.members("c1").at(-1)).toEqual({ facet: "schedule.attendee", entity: "js" });
    expect(joined.owner("schedule.attendee", "js")).toBe("c1");
  });
  it("say which cells show one value", () => {
    const place = { facet: "contacts.person", entity: "john", field: "name" };
    expect(bonds.sharedWith(place)).toEqual([{ facet: "schedule.attendee", entity: "js", field: "displayName" }]);
    expect(bonds.sharedWith({ ...place, field: "phone" })).toEqual([]);
    expect(bonds.sharedWith({ ...place, field: "notes" })).toEqual([]);
    expect(noBonds.sharedWith(place)).toEqual([]);
  });
  it("take a field under any of its keys, and one field for one meaning only", () => {
    const fields = { name: "oldName", phone: "displayName" };
    const bound = new Bonds(registers({ bindings: { "schedule.attendee": { facet: "schedule.attendee", concept: "Person", fields } } }));
    expect(bound.bindings.get("schedule.attendee")?.fields).toEqual({ name: "displayName" });
  });
  it("name the entities of a thing where a node is told of it", () => {
    expect(bonds.entities("c1")).toEqual(["john", "js"]);
    expect(bonds.entities("kit")).toEqual(["kit"]);
  });
});

const conflict = (over: Partial<Conflict>): Conflict => ({
  id: "c", kind: "semantic", status: "open", reopened: false, heads: [], entity: "c1", facet: THING, field: "name", title: "", label: "",
  sentence: "", base: null, shown: null, candidates: [], resolution: null, resolutions: [], ...over,
}); // prettier-ignore

describe("flags", () => {
  const bonds = new Bonds(registers());
  const facets = new Set(["contacts.person", "schedule.attendee"]);
  const cells = (over: Partial<Conflict>): string[] => [...flagsOf([conflict(over)], bonds, facets).keys()];
  it("stand on every cell that shows the value of a thing", () => {
    expect(cells({})).toEqual([cellId("contacts.person", "john", "name"), cellId("schedule.attendee", "js", "displayName")]);
    expect(cells({ field: "phone" })).toEqual([cellId("contacts.person", "john", "phone")]);
    expect(cells({ status: "resolved" })).toEqual([]);
  });
  it("stand on the survivor's cell where merged entities disagree", () => {
    expect(cells({ facet: "contacts.person", entity: "johnny" })).toEqual([cellId("contacts.person", "john", "name")]);
  });
  it("stand on the row where it is about what a row belongs to, leads to, or was merged into", () => {
    expect(cells({ kind: "cardinality", facet: "core.binding", entity: "kit", field: "schedule.attendee" })).toEqual([
      cellId("schedule.attendee", "kit", ""),
    ]);
    for (const about of [{ kind: "cardinality", facet: "core.entity", field: "redirect" }, { kind: "edit-delete", facet: "schedule.attends", field: "" }] as const) {
      const flags = flagsOf([conflict({ ...about, entity: "kit" })], bonds, facets);
      expect(flagAt(flags, "schedule.attendee", "kit", "")?.id, about.facet).toBe("c");
      expect(flagAt(flags, "schedule.attendee", "kit", "displayName")).toBeUndefined();
    }
  });
  it("of definitions stand nowhere in the sheets", () => {
    expect(placesOf(conflict({ kind: "schema", facet: "core.concept", entity: "Person", field: "" }), bonds, facets)).toEqual([]);
  });
});

describe("words of a conflict", () => {
  it("say where a side was written", () => {
    const side = { version: "v", value: "x", author: "", user: "", device: "", at: "", bundle: "", unaware_of: [] };
    expect(writtenIn({ ...side, field: "schedule.attendee/displayName" })).toEqual({ facet: "schedule.attendee", field: "displayName" });
    expect(writtenIn({ ...side, field: "start" })).toBeNull();
  });
  it("say definitions by their version or their fields", () => {
    expect(sayDefinition({ plugin: "contacts", version: "1.1.0", facets: {} })).toBe("version 1.1.0");
    expect(sayDefinition({ name: "Person", fields: { name: {}, email: {} } })).toBe("name, email");
    expect(sayDefinition({ name: "Person", order: ["name", "email"], fields: { more: {}, email: {}, name: {} } })).toBe("name, email, more");
    expect(sayDefinition({ facet: "x.y", concept: "Person", fields: { name: "displayName" } })).toBe("name ↔ displayName");
    expect(sayDefinition(null)).toBe("none");
  });
});
