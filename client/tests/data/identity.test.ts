import { describe, expect, it } from "vitest";
import * as Y from "yjs";
import { Identity } from "../../src/data/identity";
import { FacetTable } from "../../src/data/registers";
import { readFacets } from "../../src/domain/schema";

const [facet] = readFacets({ crew: { facets: { person: { fields: { name: {} } } } } });
if (facet === undefined) throw new Error("the schema has a facet");

function production() {
  const core = new Y.Doc();
  const doc = new Y.Doc();
  for (const id of ["a", "b", "c"]) {
    doc.getMap("crew.person").set(id, true);
    doc.getMap("crew.person").set(`${id}/name`, id.toUpperCase());
  }
  const redirect = (from: string, to: string | null) => core.getMap("core.entity").set(`${from}/redirect`, to);
  return { core, doc, redirect };
}

describe("rows of merged entities", () => {
  it("go and come with the redirects, through chains and rings", () => {
    const { core, doc, redirect } = production();
    redirect("c", "b");
    const table = new FacetTable(doc, core, facet, () => undefined);
    const rows = () => [...table.rows.keys()].sort();
    expect(rows()).toEqual(["a", "b"]);
    redirect("b", "a");
    expect(rows()).toEqual(["a"]);
    redirect("a", "c");
    expect(rows()).toEqual(["a"]);
    redirect("a", null);
    redirect("b", null);
    expect(rows()).toEqual(["a", "b"]);
    redirect("c", null);
    expect(rows()).toEqual(["a", "b", "c"]);
    expect(doc.getMap("crew.person").get("c/name")).toBe("C");
  });
  it("that lead to themselves or to nothing sensible are as they are", () => {
    const { core, doc } = production();
    core.getMap("core.entity").set("a/redirect", "a");
    core.getMap("core.entity").set("b/redirect", 7);
    expect(new FacetTable(doc, core, facet, () => undefined).rows.size).toBe(3);
  });
});

describe("identity", () => {
  it("follows what is written, and tells a new value from a new bond", () => {
    const { core, redirect } = production();
    const heard: boolean[] = [];
    const identity = new Identity(core, (_facet, field) => field, ({ bonds }) => heard.push(bonds));
    core.getMap("core.concept").set("Person", { name: "Person", fields: { name: {} } });
    core.getMap("core.binding").set("crew.person", { facet: "crew.person", concept: "Person", fields: { name: "name" } });
    core.transact(() => {
      core.getMap("core.concept_entity").set("c1", "Person");
      core.getMap("core.binding").set("a/crew.person", "c1");
      core.getMap("core.binding").set("b/crew.person", "c1");
    });
    expect(identity.bonds.members("c1").map(({ entity }) => entity)).toEqual(["a", "b"]);
    const before = identity.bonds;
    heard.length = 0;
    core.getMap("core.concept_entity").set("c1/name", "Ann");
    expect(heard).toEqual([false]);
    expect(identity.bonds).toBe(before);
    expect(identity.canonical.get("c1/name")).toBe("Ann");
    core.getMap("core.entity").set("new", true);
    expect(heard).toEqual([false]);
    redirect("b", "a");
    expect(identity.bonds.members("c1").map(({ entity }) => entity)).toEqual(["a"]);
    core.getMap("core.concept_entity").set("c1", null);
    expect(identity.bonds.owner("crew.person", "a")).toBeNull();
  });
});
