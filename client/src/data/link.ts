/**
 * One document's connection to the node: y-websocket, plus the count of what was sent and what is durable.
 *
 * Saving is judged per connection. The answer to the node's first question carries everything that the page holds, so
 * once it and all later updates of the same connection are acknowledged, nothing is only here.
 */
import { readVarUint } from "lib0/decoding";
import { readAuthMessage } from "y-protocols/auth";
import type { Awareness } from "y-protocols/awareness";
import { WebsocketProvider } from "y-websocket";
import type * as Y from "yjs";
import { freshLink, settled, type LinkState } from "../domain/saving";
import { LOCAL } from "./registers";

const MESSAGE_SYNC = 0;
const SYNC_STEP_1 = 0;
const MESSAGE_AUTH = 2;
const MESSAGE_SAVED = 40;

export interface LinkOptions {
  /** `ws://HOST:PORT/yjs/<workspace id>` */
  readonly url: string;
  readonly document: string;
  readonly token: string;
  /** Own changes that were already waiting when the page opened. */
  readonly pending: number;
  /** Called with the own changes waiting, so that they are still counted after a reload. */
  readonly keepPending: (pending: number) => void;
  readonly onChange: (state: LinkState) => void;
  readonly socket?: typeof WebSocket;
}

const REFUSALS: Readonly<Record<number, string>> = {
  4400: "The node couldn’t read what this page sent. Nothing was changed there. Reload the page.",
  4401: "The access token is missing or wrong. Open the page from the link that the node printed.",
  4404: "The node doesn’t serve this document.",
  4413: "A change was too large for the node. Nothing of it was changed there.",
};

export class Link {
  readonly provider: WebsocketProvider;
  private current: LinkState;
  /** An own update that no socket took (it was closing): only the next connection can bring it over. */
  private missed = false;

  constructor(
    private readonly doc: Y.Doc,
    private readonly options: LinkOptions,
  ) {
    this.current = freshLink(options.document, options.pending);
    this.provider = new WebsocketProvider(options.url, options.document, doc, {
      connect: false,
      disableBc: true,
      params: { token: options.token, ack: "1" },
      WebSocketPolyfill: this.countingSocket(options.socket ?? WebSocket),
    });
    this.provider.messageHandlers[MESSAGE_SAVED] = (_reply, body) => {
      this.update({ acknowledged: readVarUint(body) });
    };
    this.provider.messageHandlers[MESSAGE_AUTH] = (_reply, body) => {
      readAuthMessage(body, doc, () => {
        this.update({ readOnly: true });
      });
    };
    this.provider.on("status", ({ status }) => {
      this.update({ connected: status === "connected" });
    });
    this.provider.on("sync", (synced: boolean) => {
      this.update({ synced });
    });
    this.provider.on("closed", ({ code, reason }) => {
      // 4403 says why in the node's words: access withdrawn, or a device that may not change this production.
      this.update({ refused: REFUSALS[code] ?? (reason || "The node closed the connection for good.") });
    });
    // After the provider's own listener, so that what could be sent has been.
    doc.on("update", this.onUpdate);
  }

  get state(): LinkState {
    return this.current;
  }

  get awareness(): Awareness {
    return this.provider.awareness;
  }

  connect(): void {
    this.provider.connect();
  }

  disconnect(): void {
    this.provider.disconnect();
  }

  destroy(): void {
    this.doc.off("update", this.onUpdate);
    this.provider.destroy();
  }

  private readonly onUpdate = (_update: Uint8Array, origin: unknown): void => {
    if (origin === this.provider) return;
    if (this.current.connected && this.provider.ws?.readyState !== 1) this.missed = true;
    if (origin !== LOCAL) return;
    this.update({ pending: this.current.pending + 1 });
  };

  private update(change: Partial<LinkState>): void {
    let next = { ...this.current, ...change };
    if (settled(next) && !this.missed) next = { ...next, pending: 0 };
    // A socket that didn't take everything can't vouch for it.
    if (this.missed && next.acknowledged >= next.sent) next = { ...next, acknowledged: next.sent - 1 };
    if (next.pending !== this.current.pending) this.options.keepPending(next.pending);
    this.current = next;
    this.options.onChange(next);
  }

  /** A socket that counts the sync messages which may carry edits. A new socket starts at nothing sent. */
  private countingSocket(Base: typeof WebSocket): typeof WebSocket {
    const opened = (): void => {
      this.missed = false;
      this.update({ sent: 0, acknowledged: 0 });
    };
    const sent = (): void => this.update({ sent: this.current.sent + 1 });
    return class CountingSocket extends Base {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        opened();
      }

      override send(message: Parameters<WebSocket["send"]>[0]): void {
        super.send(message);
        if (message instanceof Uint8Array && message[0] === MESSAGE_SYNC && message[1] !== SYNC_STEP_1) sent();
      }
    };
  }
}
