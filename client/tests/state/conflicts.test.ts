import { effect, signal } from "@preact/signals";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Api } from "../../src/data/api";
import { noBonds } from "../../src/domain/bonds";
import { decisionsOf, inReadingOrder, sayDecided, showsFormer, toldOnce, whyReopened, type Conflict, type Decision } from "../../src/domain/conflicts";
import { cellId } from "../../src/domain/keys";
import { createConflicts, type Conflicts } from "../../src/state/conflicts";

const base: Conflict = {
  id: "c1", kind: "field", status: "open", reopened: false, heads: ["cues:1:1", "cues:2:1"],
  entity: "cue_1", facet: "cues.cue", field: "start", title: "LX 42", label: "start time", sentence: "LX 42 start time: …", base: null, shown: "cues:2:1",
  candidates: [], resolution: null, resolutions: [],
}; // prettier-ignore

/** A node that holds conflicts and tells of commits, over real HTTP. */
class Node {
  conflicts: Conflict[] = [base];
  asked: string[] = [];
  posted: unknown[] = [];
  private streams: ServerResponse[] = [];
  private readonly server: Server = createServer((request, response) => void this.answer(request, response));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  tell(data: object): void {
    for (const stream of this.streams) stream.write(`event: commit\ndata: ${JSON.stringify(data)}\n\n`);
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? "", "http://x");
    this.asked.push(`${request.method} ${url.pathname}`);
    const send = (status: number, body: object): void => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (request.headers.authorization !== "Bearer secret") return send(401, { error: { code: "UNAUTHENTICATED", sentence: "No.", hint: "" } });
    if (url.pathname === "/events") {
      response.writeHead(200, { "Content-Type": "text/event-stream" });
      response.write(": listening\n\n");
      this.streams.push(response);
      return;
    }
    const status = url.searchParams.get("status");
    if (url.pathname === "/conflicts") {
      const found = this.conflicts.filter((c) => status === "all" || c.status === status);
      const after = Number(url.searchParams.get("after") ?? 0);
      return send(200, { conflicts: found.slice(after, after + 1), next: after + 1 < found.length ? String(after + 1) : null });
    }
    const found = this.conflicts.find((c) => url.pathname.includes(c.id));
    if (found === undefined) return send(404, { error: { code: "NOT_FOUND", sentence: "There is none.", hint: "" } });
    if (request.method === "GET") return send(200, found);
    let text = "";
    for await (const chunk of request) text += String(chunk);
    if (url.pathname.endsWith("/reopen")) {
      this.conflicts = [{ ...base, id: "c9" }];
      return send(200, { bundle: "b", hlc: "", conflicts: ["c9"], conflict: null });
    }
    const body = JSON.parse(text) as { heads: string[] };
    this.posted.push(body);
    if (body.heads.join() !== found.heads.join()) {
      return send(409, { error: { code: "STALE", sentence: "It has changed.", hint: "Look again." }, conflict: found });
    }
    const decided: Conflict = { ...found, status: "resolved", heads: ["cues:3:1"] };
    this.conflicts = this.conflicts.map((c) => (c === found ? decided : c));
    send(200, { bundle: "b", hlc: "", conflicts: [], conflict: decided });
  }
}

function until(test: () => boolean): Promise<void> {
  return new Promise((resolve) => {
    const stop = effect(() => {
      if (!test()) return;
      queueMicrotask(() => stop());
      resolve();
    });
  });
}

describe("conflicts, from a node", () => {
  let node: Node;
  let conflicts: Conflicts;
  let left: string[];

  beforeEach(async () => {
    node = new Node();
    const url = await node.start();
    left = [];
    const shown = { bonds: signal(noBonds), facets: new Set(["cues.cue"]), left: (id: string) => void left.push(id) };
    conflicts = createConflicts(new Api("secret", url), null, "w", shown);
    await until(() => conflicts.open.value.length === 1);
  });
  afterEach(() => {
    conflicts.stop();
    node.stop();
  });

  it("flag their cells, and every entry of a duplicate", async () => {
    expect(conflicts.flags.value.get(cellId("cues.cue", "cue_1", "start"))?.id).toBe("c1");
    const side = (version: string, entity: string): Conflict["candidates"][number] => ({
      version, value: "42", author: "Alex", user: "u1", device: "", at: "", bundle: "", unaware_of: [], field: entity,
    }); // prettier-ignore
    node.conflicts = [{ ...base, id: "c2", kind: "duplicate", field: "number", candidates: [side("v1", "cue_1"), side("v2", "cue_2")] }];
    node.tell({ bundle: "b", conflicts: ["c2"], entities: [] });
    await until(() => conflicts.open.value[0]?.id === "c2");
    expect([...conflicts.flags.value.keys()]).toEqual([cellId("cues.cue", "cue_1", "number"), cellId("cues.cue", "cue_2", "number")]);
  });

  it("follow what the node tells, all pages of it", async () => {
    node.conflicts = [base, { ...base, id: "c2" }, { ...base, id: "c3" }];
    node.tell({ bundle: "b", conflicts: ["c2", "c3"], entities: ["cue_1"] });
    await until(() => conflicts.open.value.length === 3);
    expect(conflicts.commits.value.entities).toEqual(["cue_1"]);
    node.conflicts = [];
    node.tell({ bundle: "b", conflicts: ["c1", "c2", "c3"], entities: [] });
    await until(() => conflicts.open.value.length === 0);
  });

  it("don't ask again for a commit that touched none", async () => {
    const before = node.asked.length;
    node.tell({ bundle: "b", conflicts: [], entities: ["cue_9"] });
    await until(() => conflicts.commits.value.entities.includes("cue_9"));
    expect(node.asked.length).toBe(before);
  });

  it("send the heads that were looked at, and stay to be looked at once decided", async () => {
    expect(await conflicts.answer(base, { choose: "cues:1:1" })).toEqual({ problem: null, gone: false });
    expect(node.posted).toEqual([{ choose: "cues:1:1", heads: base.heads }]);
    expect(conflicts.open.value).toEqual([]);
    expect(conflicts.byId("c1")?.status).toBe("resolved");
    conflicts.show("resolved");
    await until(() => conflicts.listed.value.length === 1);
  });

  it("make place for those that stand there once a decision is taken back", async () => {
    expect(await conflicts.reopen(base)).toEqual({ problem: null, gone: true });
    await until(() => conflicts.open.value[0]?.id === "c9");
    conflicts.look("c1");
    conflicts.look("c9");
    await until(() => conflicts.byId("c9") !== null);
    expect([left[0], conflicts.byId("c1"), conflicts.problem.value]).toEqual(["c1", null, null]);
  });

  it("show how it stands now when somebody else was quicker, and record nothing", async () => {
    node.conflicts = [{ ...base, heads: ["cues:1:1", "cues:2:1", "cues:5:1"], sentence: "Three of them now." }];
    const { problem } = await conflicts.answer(base, { value: "11:00" });
    expect(problem).toContain("changed since you looked");
    expect(conflicts.byId("c1")?.sentence).toBe("Three of them now.");
    expect(node.conflicts[0]?.status).toBe("open");
  });
});

describe("conflicts in a list", () => {
  it("stand as the rows do, whatever their ids", () => {
    const about = (id: string, title: string, label: string): Conflict => ({ ...base, id, title, label });
    const listed = inReadingOrder([about("a", "LX 40", "Label"), about("b", "LX 5", "Up"), about("c", "LX 5", "Label")]);
    expect(listed.map(({ id }) => id)).toEqual(["c", "b", "a"]);
  });
});

describe("conflicts that aren't about choosing a value", () => {
  it("say a decision in people's words", () => {
    expect(sayDecided("edit-delete", true)).toBe("Restored");
    expect(sayDecided("edit-delete", false)).toBe("Left as it was ended");
    expect(sayDecided("duplicate", "cues:1:17")).toBe("All kept");
    expect(sayDecided("field", "cues:1:17")).toBeNull();
  });

  it("tell one deletion once", () => {
    const side = (version: string, field: string, bundle: string) => ({ version, field, bundle });
    const candidates = [side("core:1:1", "", "b1"), side("cues:1:4", "", "b1"), side("cues:2:1", "label", "b2")];
    const conflict = { ...base, kind: "edit-delete", candidates } as unknown as Conflict;
    expect(toldOnce(conflict).map(({ version }) => version)).toEqual(["core:1:1", "cues:2:1"]);
  });
});

describe("decisions that were taken back", () => {
  const decision = (id: string, over: Partial<Decision>): Decision => ({
    id, by: "Robin", user: "u", device: "d", at: "2026-01-01T10:00:00Z", chosen: null, value: "11:15", supersedes: null,
    heads: ["cues:1:1"], withdrawn: true, bundle: `b_${id}`, title: "", ...over,
  }); // prettier-ignore
  const back = (id: string, supersedes: string): Decision => decision(id, { heads: [], value: null, supersedes, bundle: "b_back" });
  const candidates = [{ version: "cues:1:1" }, { version: "cues:2:1" }] as unknown as Conflict["candidates"];
  const taken: Conflict = {
    ...base, reopened: true, shown: "cues:3:0", candidates,
    resolutions: [decision("r1", {}), decision("r2", {}), back("r3", "r1"), back("r3.1", "r2")],
  }; // prettier-ignore

  it("are taken back by one act, told once and first", () => {
    expect(decisionsOf(taken).map(({ id }) => id)).toEqual(["r3", "r2", "r1"]);
  });

  it("are what is shown until somebody chooses, where it is none of the values", () => {
    expect(showsFormer(taken)).toBe(true);
    expect(showsFormer({ ...taken, shown: "cues:2:1" })).toBe(false);
    expect(showsFormer({ ...taken, status: "resolved" })).toBe(false);
  });

  it("aren't called a late edit", () => {
    expect(whyReopened(taken)).toBe("the decision was taken back");
    expect(whyReopened({ ...taken, resolutions: [decision("r1", { withdrawn: false })] })).toBe("reopened by a late edit");
  });
});
