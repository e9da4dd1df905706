import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import * as decoding from "lib0/decoding";
import * as encoding from "lib0/encoding";
import * as sync from "y-protocols/sync";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer, type WebSocket as Socket } from "ws";
import * as Y from "yjs";
import { Link } from "../../src/data/link";
import { PendingCount, type KeyValue } from "../../src/data/pending";
import { writeRegisters } from "../../src/data/registers";
import { saveState, type LinkState } from "../../src/domain/saving";

/** A node that acknowledges only when told to, so that each state between can be looked at. */
class SlowNode {
  readonly doc = new Y.Doc({ gc: false });
  received = 0;
  private readonly http: Server = createServer();
  private readonly sockets = new WebSocketServer({ server: this.http });
  private socket: Socket | null = null;
  private waiting: (() => void)[] = [];

  async start(port = 0): Promise<number> {
    this.sockets.on("connection", (socket) => {
      this.socket = socket;
      this.received = 0;
      this.send((e) => {
        encoding.writeVarUint(e, 0);
        sync.writeSyncStep1(e, this.doc);
      });
      socket.on("message", (data: Buffer) => this.read(new Uint8Array(data)));
    });
    await new Promise<void>((resolve) => this.http.listen(port, "127.0.0.1", resolve));
    return (this.http.address() as AddressInfo).port;
  }

  private read(data: Uint8Array): void {
    const decoder = decoding.createDecoder(data);
    if (decoding.readVarUint(decoder) !== 0) return;
    const reply = encoding.createEncoder();
    encoding.writeVarUint(reply, 0);
    const step = sync.readSyncMessage(decoder, reply, this.doc, "client");
    if (encoding.length(reply) > 1) this.socket?.send(encoding.toUint8Array(reply));
    if (step === sync.messageYjsSyncStep1) return;
    this.received += 1;
    for (const wake of this.waiting.splice(0)) wake();
  }

  async receives(count: number): Promise<void> {
    while (this.received < count) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  acknowledge(count = this.received): void {
    this.send((e) => {
      encoding.writeVarUint(e, 40);
      encoding.writeVarUint(e, count);
    });
  }

  deny(): void {
    this.send((e) => {
      encoding.writeVarUint(e, 2);
      encoding.writeVarUint(e, 0);
      encoding.writeVarString(e, "permission denied");
    });
  }

  drop(code: number): void {
    this.socket?.close(code, "bye");
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets.clients) socket.terminate();
    this.sockets.close();
    await new Promise((resolve) => this.http.close(resolve));
  }

  private send(write: (encoder: encoding.Encoder) => void): void {
    const encoder = encoding.createEncoder();
    write(encoder);
    this.socket?.send(encoding.toUint8Array(encoder));
  }
}

class Watch {
  state: LinkState | null = null;
  kept = 0;
  private waiting: { test: (state: LinkState) => boolean; resolve: () => void }[] = [];

  readonly onChange = (state: LinkState): void => {
    this.state = state;
    this.waiting = this.waiting.filter(({ test, resolve }) => {
      if (test(state)) resolve();
      return !test(state);
    });
  };

  until(test: (state: LinkState) => boolean): Promise<void> {
    if (this.state !== null && test(this.state)) return Promise.resolve();
    return new Promise((resolve) => this.waiting.push({ test, resolve }));
  }

  get kind(): string {
    return this.state === null ? "none" : saveState([this.state]).kind;
  }
}

const write = (doc: Y.Doc, value: string): void => void writeRegisters(doc, "cues", [{ root: "cues.cue", key: "a/x", value }]);

describe("a link to the node", () => {
  let node: SlowNode;
  let port: number;
  let doc: Y.Doc;
  let watch: Watch;
  let link: Link;

  const join = (pending = 0): void => {
    watch = new Watch();
    link = new Link(doc, {
      url: `ws://127.0.0.1:${port}/yjs/w`, document: "cues", token: "t", pending,
      keepPending: (count) => void (watch.kept = count), onChange: watch.onChange,
      socket: WebSocket as unknown as typeof globalThis.WebSocket,
    }); // prettier-ignore
    link.connect();
  };

  beforeEach(async () => {
    node = new SlowNode();
    port = await node.start();
    doc = new Y.Doc({ gc: false });
  });
  afterEach(async () => {
    link.destroy();
    await node.stop();
  });

  it("says saved only once the node has acknowledged, and saving again after the next edit", async () => {
    write(doc, "before connecting");
    join();
    await node.receives(1);
    await watch.until((s) => s.synced);
    expect(watch.kind).toBe("saving");
    node.acknowledge();
    await watch.until((s) => s.acknowledged === 1);
    expect(watch.kind).toBe("saved");
    write(doc, "1");
    write(doc, "2");
    expect(watch.kind).toBe("saving");
    expect(watch.kept).toBe(2);
    await node.receives(3);
    node.acknowledge(2);
    await watch.until((s) => s.acknowledged === 2);
    expect(watch.kind).toBe("saving");
    node.acknowledge(3);
    await watch.until((s) => s.acknowledged === 3);
    expect(watch.kind).toBe("saved");
    expect(watch.kept).toBe(0);
    expect(node.doc.getMap("cues.cue").get("a/x")).toBe("2");
  });

  it("counts afresh on a new connection, whose first answer carries what the old one lost", async () => {
    join();
    await node.receives(1);
    node.acknowledge();
    await watch.until((s) => s.synced && s.acknowledged === 1);
    write(doc, "never acknowledged");
    await node.receives(2);
    node.drop(1012);
    await watch.until((s) => !s.connected);
    expect(saveState([link.state])).toEqual({ kind: "offline", pending: 1 });
    write(doc, "made offline");
    await watch.until((s) => s.connected);
    await node.receives(1);
    await watch.until((s) => s.synced && s.sent === 1);
    expect(watch.kind).toBe("saving");
    node.acknowledge();
    await watch.until((s) => s.acknowledged === 1);
    expect(watch.kind).toBe("saved");
    expect(node.doc.getMap("cues.cue").get("a/x")).toBe("made offline");
  });

  it("doesn't say saved of an edit that a closing socket never took", async () => {
    join();
    await node.receives(1);
    node.acknowledge();
    await watch.until((s) => s.synced && s.acknowledged === 1);
    link.provider.ws?.close();
    write(doc, "into the void");
    expect(watch.kind).not.toBe("saved");
    expect(link.state.pending).toBe(1);
    await watch.until((s) => !s.connected);
    await node.receives(1);
    await watch.until((s) => s.connected && s.synced);
    node.acknowledge();
    await watch.until((s) => s.pending === 0);
    expect(watch.kind).toBe("saved");
    expect(node.doc.getMap("cues.cue").get("a/x")).toBe("into the void");
  });

  it("says view only when the node refuses a change, and why when it refuses the page", async () => {
    join(3);
    await watch.until((s) => s.connected);
    node.deny();
    await watch.until((s) => s.readOnly);
    expect(watch.kind).toBe("readOnly");
    node.drop(4401);
    await watch.until((s) => s.refused !== "");
    expect(watch.kind).toBe("refused");
    expect(link.state.pending).toBe(3);
  });

  it("keeps the values that lost, for the node that asks", async () => {
    write(doc, "mine");
    node.doc.getMap("cues.cue").set("a/x", "theirs");
    join();
    await node.receives(1);
    await watch.until((s) => s.synced);
    node.acknowledge();
    await watch.until((s) => s.acknowledged === 1);
    const values: unknown[] = [];
    for (const struct of Y.decodeUpdate(Y.encodeStateAsUpdate(node.doc)).structs) {
      if (struct instanceof Y.Item) values.push(...struct.content.getContent());
    }
    expect(values.sort()).toEqual(["mine", "theirs"]);
  });
});

describe("the count of waiting changes", () => {
  const storage = (): { store: KeyValue; kept: Map<string, string> } => {
    const kept = new Map<string, string>();
    const store: KeyValue = {
      get length() {
        return kept.size;
      },
      key: (index) => [...kept.keys()][index] ?? null,
      getItem: (key) => kept.get(key) ?? null,
      setItem: (key, value) => void kept.set(key, value),
      removeItem: (key) => void kept.delete(key),
    };
    return { store, kept };
  };
  it("outlives the page, adds up over pages, and goes once the node has everything", () => {
    const { store, kept } = storage();
    new PendingCount(store, "p", "1").keep(2);
    new PendingCount(store, "p", "2").keep(5);
    const third = new PendingCount(store, "p", "3");
    expect(third.atStart).toBe(5);
    third.keep(6);
    expect(new PendingCount(store, "p", "4").atStart).toBe(6);
    third.keep(0);
    expect(kept.size).toBe(0);
    third.keep(1);
    expect(new PendingCount(store, "p", "5").atStart).toBe(1);
  });
  it("leaves the number of a page that is still counting", () => {
    const { store, kept } = storage();
    const other = new PendingCount(store, "p", "other");
    other.keep(1);
    const here = new PendingCount(store, "p", "here");
    other.keep(2);
    here.keep(0);
    expect(kept.get("p/other")).toBe("2");
  });
});
