/** Follow the node's events for as long as the page is open, through every interruption. */
import { EventReader } from "../domain/sse";
import type { Api } from "./api";

export interface CommitEvent {
  readonly bundle: string;
  readonly conflicts: readonly string[];
  readonly entities: readonly string[];
  readonly documents: readonly string[];
}

export interface EventHandlers {
  /** Connected, at first or again: what happened meanwhile is to be asked for. */
  readonly onOpen: () => void;
  readonly onCommit: (event: CommitEvent) => void;
  /** Who is here, or what waits for a word, is another. */
  readonly onSession: () => void;
}

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 10_000;

export async function followEvents(api: Api, handlers: EventHandlers, signal: AbortSignal): Promise<void> {
  let retryMs = RETRY_MS_MIN;
  while (!signal.aborted) {
    try {
      const stream = await api.events(signal);
      retryMs = RETRY_MS_MIN;
      handlers.onOpen();
      await readEvents(stream, handlers);
    } catch {
      // The node is away or went away: the documents' links tell the person, here it only means to try again.
    }
    await pause(retryMs, signal);
    retryMs = Math.min(retryMs * 2, RETRY_MS_MAX);
  }
}

export async function readEvents(stream: ReadableStream<Uint8Array>, handlers: EventHandlers): Promise<void> {
  const reader = new EventReader();
  const decoder = new TextDecoder();
  const source = stream.getReader();
  for (;;) {
    const { done, value } = await source.read();
    if (done) return;
    for (const { event, data } of reader.push(decoder.decode(value, { stream: true }))) {
      const commit = event === "commit" ? readCommit(data) : null;
      if (commit !== null) handlers.onCommit(commit);
      if (event === "session") handlers.onSession();
    }
  }
}

function readCommit(data: string): CommitEvent | null {
  try {
    const { bundle, conflicts, entities, documents } = JSON.parse(data) as Record<string, unknown>;
    const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v) => typeof v === "string") : []);
    return {
      bundle: typeof bundle === "string" ? bundle : "",
      conflicts: texts(conflicts),
      entities: texts(entities),
      documents: texts(documents),
    };
  } catch {
    return null;
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
