import { effect, signal } from "@preact/signals";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Api } from "../../src/data/api";
import type { SessionStatus } from "../../src/domain/together";
import { notice } from "../../src/state/notices";
import type { Production } from "../../src/state/production";
import { createTogether, type Together } from "../../src/state/together";

const member = (device: string, me = false): SessionStatus["members"][number] => ({ device, name: device, me, leads: me, here: true });
const base: SessionStatus = {
  revision: 1, in_session: true, me: { device: "a", name: "Alex" }, leader: "a", leads: true, joining: "", problem: "",
  members: [member("a", true)], plans: [], newcomers: [], mine: { bundles: 1, on_leader: true, devices: 0 }, events: [],
}; // prettier-ignore

/** A node's answers about its session, over real HTTP. */
class Node {
  session: SessionStatus = base;
  asked: string[] = [];
  refuses = "";
  private readonly server: Server = createServer((request, response) => this.answer(request, response));

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(request: IncomingMessage, response: ServerResponse): void {
    const { pathname } = new URL(request.url ?? "", "http://x");
    this.asked.push(`${request.method} ${pathname}`);
    const send = (status: number, body: object): void => {
      response.writeHead(status, { "Content-Type": "application/json" });
      response.end(JSON.stringify(body));
    };
    if (this.refuses !== "") return send(403, { error: { code: "DENIED", sentence: this.refuses, hint: "Ask the owner." } });
    if (pathname === "/members") return send(200, { founded: true, device: "a", members: [], removed: [], held: 1 });
    if (pathname === "/held") return send(200, { held: [{ bundle: "b1", at: "", author: "Old", device: "x", documents: ["cues"], message: "" }] });
    return send(200, this.session);
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

describe("several devices", () => {
  let node: Node;
  let together: Together;
  const barred = signal("");
  const open = (url: string, role: string): Together =>
    createTogether({ api: new Api("secret", url), info: { you: { name: "", role } }, away: signal("") } as unknown as Production, barred);

  beforeEach(async () => {
    node = new Node();
    together = open(await node.start(), "owner");
  });
  afterEach(() => {
    node.stop();
  });

  it("says when this device may change nothing, and asks for what is held only while somebody looks", async () => {
    together.refresh();
    await until(() => barred.value.includes("isn’t a member"));
    expect(together.barred.value).toBe(""); // it may join: that is how it becomes one
    expect(node.asked).toEqual(["GET /session", "GET /members"]);
    together.watch(true);
    await until(() => together.held.value.length === 1);
    expect(together.members.value?.held).toBe(1);
    expect(node.asked.filter((path) => path === "GET /session")).toHaveLength(2);
  });

  it("asks one question at a time, and once more for whatever came meanwhile", async () => {
    for (let count = 0; count < 20; count += 1) together.refresh();
    await until(() => together.session.value !== null);
    node.session = { ...base, revision: 2 };
    await until(() => together.session.value?.revision === 2);
    expect(node.asked.filter((path) => path === "GET /session")).toHaveLength(2);
  });

  it("tells the owner who wants to come, and forgets a link once a device has come by it", async () => {
    together.refresh();
    await until(() => together.session.value !== null);
    together.invitation.value = { link: "openprod://join/x", code: "a-b-c" };
    node.session = { ...base, newcomers: [{ device: "b", name: "Sam", device_name: "laptop" }] };
    together.refresh();
    await until(() => together.session.value?.newcomers.length === 1);
    expect(notice.value?.text).toContain("Sam (laptop) wants to join");
    expect(together.invitation.value).not.toBeNull();
    node.session = { ...base, members: [...base.members, member("b")] };
    together.refresh();
    await until(() => together.session.value?.members.length === 2);
    expect(together.invitation.value).toBeNull();
  });

  it("says in words what was refused", async () => {
    node.refuses = "Only the device that leads can end it for all.";
    expect(await together.run((api) => api.depart("end"), "Ended.")).toBe("Only the device that leads can end it for all. Ask the owner.");
    expect(notice.value?.text).not.toBe("Ended.");
  });
});
