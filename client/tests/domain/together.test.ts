import { describe, expect, it } from "vitest";
import {
  arrivals, barredFor, deviceBarred, inOrder, memberName, nearbyWords, planWords, qrPath, reachWords, standing, waitingCount,
  type Plan, type SessionMember, type SessionStatus,
} from "../../src/domain/together"; // prettier-ignore

const session = (change: Partial<SessionStatus> = {}): SessionStatus => ({
  revision: 1, in_session: true, me: { device: "a", name: "Alex" }, leader: "a", leads: true, joining: "", problem: "",
  members: [], plans: [], newcomers: [], mine: { bundles: 3, on_leader: true, devices: 0 }, events: [], ...change,
}); // prettier-ignore
const plan = (change: Partial<Plan> = {}): Plan => ({
  id: "p1", device: "b", name: "Sound", bundles: 14, authors: [{ name: "Sound", device: "b", bundles: 14 }], sends: 22,
  conflicts: 3, at_least: false, ...change,
}); // prettier-ignore
const member = (device: string, name: string, change: Partial<SessionMember> = {}): SessionMember => ({
  device, name, me: false, leads: false, here: true, ...change,
}); // prettier-ignore

describe("a plan in words", () => {
  it("says what would come from whom, what would go, and the conflicts", () => {
    expect(planWords(plan())).toBe("14 changes from Sound, 22 from you, 3 conflicts to come.");
    expect(planWords(plan({ bundles: 1, authors: [{ name: "", device: "c", bundles: 1 }], sends: 0, conflicts: 1 }))).toBe(
      "1 change from somebody, nothing new from you, 1 conflict to come.",
    );
  });
  it("names several authors, and who brings nothing", () => {
    const authors = [{ name: "Sound", device: "b", bundles: 2 }, { name: "Video", device: "c", bundles: 1 }]; // prettier-ignore
    expect(planWords(plan({ bundles: 3, authors, sends: 0, conflicts: 0 }))).toBe(
      "2 changes from Sound, 1 from Video, nothing new from you, no conflicts to come.",
    );
    expect(planWords(plan({ bundles: 0, authors: [], sends: 1, conflicts: 0 }))).toBe(
      "Nothing new from Sound, 1 change from you, no conflicts to come.",
    );
  });
  it("never says none where it has only looked at some", () => {
    expect(planWords(plan({ conflicts: 0, at_least: true }))).toContain("at least 0 conflicts to come");
  });
});

describe("how far an edit has come", () => {
  it("says nothing where nobody is there to have it", () => {
    expect(reachWords({ on_leader: false, devices: 0 }, null)).toBeNull();
    expect(reachWords({ on_leader: false, devices: 2 }, session({ in_session: false }))).toBeNull();
  });
  it("is never on the leader before the leader has it", () => {
    const following = session({ leads: false, leader: "b" });
    expect(reachWords({ on_leader: false, devices: 0 }, following)).toBe("on no other device yet");
    expect(reachWords({ on_leader: false, devices: 1 }, following)).toBe("on 1 other device, not on the leader yet");
    expect(reachWords({ on_leader: true, devices: 1 }, following)).toBe("on the leader");
    expect(reachWords({ on_leader: true, devices: 3 }, following)).toBe("on the leader and 2 other devices");
  });
  it("names no leader to who leads", () => {
    expect(reachWords({ on_leader: true, devices: 0 }, session())).toBe("on no other device yet");
    expect(reachWords({ on_leader: true, devices: 2 }, session())).toBe("on 2 other devices");
  });
});

describe("who is here", () => {
  it("stands in order: this device, who leads, who is here, who is away", () => {
    const listed = [member("d", "Zoe", { here: false }), member("c", "Bo"), member("b", "Kim", { leads: true }), member("a", "Al", { me: true })];
    expect(inOrder(listed).map(({ name }) => name)).toEqual(["Al", "Kim", "Bo", "Zoe"]);
    expect(listed.map(standing)).toEqual(["away", "here", "leads", "here"]);
    expect(standing(member("h", "Hub", { hub: true }))).toBe("hub, always on");
  });
  it("is told by name, or by the start of a key", () => {
    const rest = { role: "editor", grants: {} };
    expect(memberName({ device: "5f3809d0aa", device_name: "", name: "Sound", ...rest })).toBe("Sound (device 5f3809)");
    expect(memberName({ device: "5f3809d0aa", device_name: "booth-mini", name: "", ...rest })).toBe("Somebody (booth-mini)");
  });
});

describe("what waits for a word", () => {
  const newcomer = { device: "n", name: "Sam", device_name: "laptop" };
  it("is counted, and told once", () => {
    const now = session({ plans: [plan()], newcomers: [newcomer] });
    expect(waitingCount(null)).toBe(0);
    expect(waitingCount(now)).toBe(2);
    expect(arrivals(session(), now)).toEqual([
      "Sam (laptop) wants to join and waits for your word: see Together.",
      "Sound is there. What would come waits for your word: see Together.",
    ]);
    expect(arrivals(now, now)).toEqual([]);
    expect(arrivals(now, session({ plans: [plan({ id: "p2" })], newcomers: [newcomer] }))).toHaveLength(1);
  });
  it("tells who came with a link, and which host a code has found", () => {
    const host = { device: "h", name: "Alex", device_name: "desk", title: "Hamlet" };
    const now = session({ plans: [plan({ newcomer: "viewer" })], hosts: [host] });
    expect(waitingCount(now)).toBe(2);
    expect(arrivals(session(), now)).toEqual([
      "Alex (desk) hosts. Is that the one? See Together.",
      "Sound came with your link, and waits for your word: see Together.",
    ]);
    expect(arrivals(now, now)).toEqual([]);
  });
  it("says of a device nearby what is known of it, and no more", () => {
    const device = { device: "d", name: "", addresses: ["10.0.0.2:8041"], workspace: null, code: true };
    expect(nearbyWords(device, "w")).toBe("hosts a production that this device has never been in, at 10.0.0.2:8041; words would let you in");
    expect(nearbyWords({ ...device, workspace: "w", code: false }, "w")).toBe("hosts this production, at 10.0.0.2:8041");
    expect(nearbyWords({ ...device, workspace: "v", code: false }, "w")).toContain("another production that you know");
  });
  it("is answered by the owner's access, while the node is there", () => {
    expect(barredFor("owner", "")).toBe("");
    expect(barredFor("owner", "This needs the node, and it is away.")).toContain("needs the node");
    expect(barredFor("editor", "")).toContain("needs the owner’s link");
    expect(barredFor("viewer", "Your access lets you look, not change.")).toContain("needs the owner’s link");
  });
});

describe("a device that may change nothing", () => {
  const device = { device: "a", device_name: "", name: "Alex", role: "viewer", grants: {} };
  const rules = { founded: true, device: "a", members: [device], removed: [], held: 0 };
  it("is told why", () => {
    expect(deviceBarred({ ...rules, founded: false, members: [] })).toBe("");
    expect(deviceBarred(rules)).toContain("joined as a viewer");
    expect(deviceBarred({ ...rules, members: [{ ...device, grants: { cues: "editor" } }] })).toBe("");
    expect(deviceBarred({ ...rules, members: [{ ...device, role: "editor" }] })).toBe("");
    expect(deviceBarred({ ...rules, members: [], removed: ["a"] })).toContain("was removed");
    expect(deviceBarred({ ...rules, members: [] })).toContain("isn’t a member");
  });
});

describe("a QR code", () => {
  it("is one path, its runs joined, with a quiet zone of four", () => {
    expect(qrPath(["1101", "0010"])).toEqual({ size: 10, path: "M4 4h2v1h-2zM7 4h1v1h-1zM6 5h1v1h-1z" });
  });
});
