import { describe, expect, it } from "vitest";
import { Bonds, noBonds } from "../../src/domain/bonds";
import {
  bindable, bindFault, bindOperation, defineOperation, distinct, draftOf, faultOf, mergeOperation, ruleOperation, sameOperation,
  sameWords, startingFields, suggestedBindings, suggestedConcepts, withoutSet, withSet, type MergePreview, type Suggestions,
} from "../../src/domain/identity"; // prettier-ignore
import { followRedirects } from "../../src/domain/redirects";
import { defaultSort } from "../../src/domain/table";
import { defaultFacet, numbering, presentKey, readFacets } from "../../src/domain/schema";

const facets = readFacets({
  contacts: { label: "Contacts", facets: { person: { title: "{name}", unique: [["name", "email"]], fields: { name: {}, email: {}, notes: { type: "text" } } } } },
  schedule: { facets: { attendee: { title: "{displayName}", unique: [["displayName"]], fields: { displayName: { was: ["who"] }, email: { private: true } } } } },
}); // prettier-ignore
const [person, attendee] = facets;
if (person === undefined || attendee === undefined) throw new Error("the schema has facets");
const concept = { name: "Person", label: "Person", fields: [{ field: "name", type: "string", label: "Name" }, { field: "email", type: "string", label: "Email" }] }; // prettier-ignore
const binding = { facet: "schedule.attendee", concept: "Person", fields: { name: "displayName", email: "email" } };
const suggestions: Suggestions = {
  concepts: [{ name: "Person", fields: { name: { type: "string", label: "Name" } } }, { name: "Place", fields: {} }],
  bindings: [binding, { ...binding, facet: "contacts.person", fields: { name: "name" } }],
};
const bonds = new Bonds({
  concepts: [["Person", { name: "Person", fields: { name: {} } }]],
  bindings: [["contacts.person", { facet: "contacts.person", concept: "Person", fields: { name: "name" } }], ["john/contacts.person", "c1"]],
  things: [["c1", "Person"]],
  rules: [],
  redirects: followRedirects(new Map([["johnny", "john"]])),
}); // prettier-ignore

describe("defining a concept", () => {
  const draft = { name: " Person ", label: "", fields: [{ field: "name ", type: "string", label: " Name" }, { field: "", type: "date", label: "x" }] }; // prettier-ignore
  it("sends what was filled in", () => {
    expect(faultOf(draft)).toBe("");
    expect(defineOperation(draft)).toEqual({
      op: "define_concept", concept: "Person", label: "", fields: { name: { type: "string", label: "Name" } },
    }); // prettier-ignore
    expect(defineOperation(draftOf(concept))["fields"]).toEqual({ name: { type: "string", label: "Name" }, email: { type: "string", label: "Email" } }); // prettier-ignore
  });
  it.each([
    [{ ...draft, name: "person" }, "capital"],
    [{ ...draft, fields: [] }, "at least one"],
    [{ ...draft, fields: [{ field: "Name", type: "string", label: "" }] }, "small letter"],
    [{ ...draft, fields: [...draft.fields, ...draft.fields] }, "two fields “name”"],
  ])("says what is wrong: %#", (wrong, said) => {
    expect(faultOf(wrong)).toContain(said);
  });
  it("offers what plugins suggest until it is there", () => {
    expect(suggestedConcepts(suggestions, noBonds).map(({ name }) => name)).toEqual(["Person", "Place"]);
    expect(suggestedConcepts(suggestions, bonds).map(({ name }) => name)).toEqual(["Place"]);
    expect(suggestedBindings(suggestions, "Person", bonds)).toEqual([binding]);
  });
});

describe("binding a facet", () => {
  it("starts with what is bound, is suggested, or is called the same", () => {
    expect(startingFields(concept, attendee, noBonds, binding)).toEqual({ name: "displayName", email: "email" });
    expect(startingFields(concept, attendee, noBonds, null)).toEqual({ email: "email" });
    expect(startingFields(concept, person, bonds, null)).toEqual({ name: "name" });
    expect(startingFields(concept, person, noBonds, { ...binding, fields: { name: "gone", email: "notes" } })).toEqual({});
  });
  it("offers whatever has one value, and sends the pairs that were chosen", () => {
    expect(bindable(person).map(({ field }) => field)).toEqual(["name", "email"]);
    expect(bindFault({ name: "", email: "" }, person)).toContain("at least one");
    expect(bindFault({ name: "email", email: "email" }, person)).toContain("Email");
    expect(bindFault({ name: "name", email: "" }, person)).toBe("");
    expect(bindOperation("contacts.person", "Person", { name: "name", email: "" })).toEqual({
      op: "bind_facet", facet: "contacts.person", concept: "Person", fields: { name: "name" },
    }); // prettier-ignore
  });
});

describe("saying what is one", () => {
  it("names entities, each once, whatever was given for them", () => {
    expect(distinct(["c1", "johnny", "kit"], bonds)).toEqual(["john", "kit"]);
    expect(sameOperation("Person", ["c1", "kit"], bonds)).toEqual({ op: "assert_same", concept: "Person", entities: ["john", "kit"] });
  });
  it("says what will happen to a field", () => {
    const value = (value: string | null) => ({ facet: "f", entity: "e", title: "", value });
    expect(sameWords({ field: "f", state: "same", values: [value(null), value(null)] })).toBe("nothing yet");
    expect(sameWords({ field: "f", state: "same", values: [value("x")] })).toBe("only there");
    expect(sameWords({ field: "f", state: "fills", values: [value("x"), value(null)] })).toBe("will be filled in");
    expect(sameWords({ field: "f", state: "differs", values: [value("x"), value("y")] })).toBe("they differ");
  });
  it("merges with what was chosen, and leaves the rest open", () => {
    const field = { facet: "contacts.person", label: "", state: "differs" as const };
    const preview: MergePreview = {
      survivor: { id: "a", title: "A" }, absorbed: { id: "b", title: "B" }, texts: [], attaches: [], edges: [],
      fields: [
        { ...field, field: "name", survivor: "Jane", absorbed: "J." },
        { ...field, field: "email", survivor: "x", absorbed: "y" },
        { ...field, field: "phone", survivor: null, absorbed: "0", state: "fills" },
      ],
    }; // prettier-ignore
    expect(mergeOperation(preview, { "contacts.person/name": "absorbed", "contacts.person/phone": "survivor" })).toEqual({
      op: "merge_entities", survivor: "a", absorbed: "b", values: { "contacts.person": { name: "J." } },
    }); // prettier-ignore
  });
  it("adds a set to a rule once, and takes it out", () => {
    const rule = withSet([["email"]], ["name", "phone"]);
    expect(withSet(rule, ["phone", "name"])).toEqual([["email"], ["phone", "name"]]);
    expect(ruleOperation("Person", withoutSet(rule, rule[0] ?? []))).toEqual({ op: "set_rule", about: "Person", fields: [["name", "phone"]] });
  });
});

describe("sheets of every plugin", () => {
  it("are numbered within groups only where a number tells their rows apart", () => {
    expect(numbering(person)).toBeNull();
    const [cue] = readFacets({ cues: { facets: { cue: { unique: [["list", "number"]], fields: { list: {}, number: { type: "decimal" } } } } } });
    expect(cue && numbering(cue)).toEqual({ group: ["list"], number: "number" });
  });
  it("open with the one of which most is said", () => {
    expect(defaultFacet([attendee, person])).toBe(person);
    expect(person.plugin).toBe("Contacts");
    expect(attendee.columns.map((column) => column.private)).toEqual([false, true]);
  });
  it("lead with what people call their rows by, and dated ones stand in the order of their dates", () => {
    const fields = { uid: {}, start: { type: "time" }, date: { type: "date" }, title: {} };
    const [event] = readFacets({ schedule: { facets: { event: { title: "{title} {date:day} {start}", unique: [["uid"]], fields } } } });
    expect(event?.columns.map(({ field }) => field)).toEqual(["title", "date", "start", "uid"]);
    expect(event?.frozen).toBe(1);
    expect(event && defaultSort(event).map(({ field }) => field)).toEqual(["date", "start", "title"]);
    expect(person.columns.map(({ field }) => field).slice(0, 2)).toEqual(["name", "email"]);
    expect(defaultSort(person)).toEqual([{ field: "name", descending: false }]);
  });
  it("know a field by its earlier key", () => {
    expect(presentKey(attendee, "who")).toBe("displayName");
    expect(presentKey(attendee, "unknown")).toBe("unknown");
  });
});
