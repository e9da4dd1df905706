/** Other devices: who is here, what waits for a person's word, how far edits have come; and doing something about it. */
import { batch, computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { ApiError, type Api } from "../data/api";
import { arrivals, barredFor, deviceBarred, type Edit, type Held, type Invitation, type Members, type Nearby, type SessionStatus } from "../domain/together";
import { tell } from "./notices";
import type { Production } from "./production";

export interface Together {
  /** Null until the node has said, and where this access may not know. */
  readonly session: ReadonlySignal<SessionStatus | null>;
  /** Why this access may not know; "" where it may. */
  readonly denied: ReadonlySignal<string>;
  readonly members: ReadonlySignal<Members | null>;
  readonly held: ReadonlySignal<readonly Held[]>;
  /** This device's own edits that are on no other device, newest first, as far as the panel shows them. */
  readonly alone: ReadonlySignal<readonly Edit[]>;
  /** What lets the next device in, until one has come. */
  readonly invitation: Signal<Invitation | null>;
  /** What was seen of devices nearby; null before anybody looked. */
  readonly nearby: ReadonlySignal<Nearby | null>;
  /** Why nothing can be done about it now, or with this access; "" when it can. */
  readonly barred: ReadonlySignal<string>;
  /** Whether the panel is open: then all of it is kept up to date. */
  watch(open: boolean): void;
  refresh(): void;
  /** Look for devices nearby for so long. */
  look(seconds: number): Promise<void>;
  /** After a commit: what is alone is another, or who may do what. */
  committed(touched: { readonly documents: readonly string[] }): void;
  /** What went wrong, in words; "" when it is done. */
  run(what: (api: Api) => Promise<unknown>, done?: string): Promise<string>;
}

/** While edits come by the hundred, this is shown again at most so often. */
const PAUSE_MS = 200;
const ALONE_MAX = 20;

/** `barred` is set to why this device may change nothing. */
export function createTogether(production: Production, barred: Signal<string>): Together {
  const { api, info } = production;
  const session = signal<SessionStatus | null>(null);
  const denied = signal("");
  const members = signal<Members | null>(null);
  const held = signal<readonly Held[]>([]);
  const alone = signal<readonly Edit[]>([]);
  const invitation = signal<Invitation | null>(null);
  const nearby = signal<Nearby | null>(null);
  const owner = info.you.role === "owner";
  let watched = false;
  let running = false;
  let again = false;

  const take = (now: SessionStatus): void => {
    const before = session.value;
    batch(() => {
      session.value = now;
      const came = now.members.some(({ device }) => before?.members.every((member) => member.device !== device));
      if (!now.in_session || (came && before?.in_session === true)) invitation.value = null;
    });
    // The first answer tells what waits already; the panel's button says so too.
    if (owner && before !== null) for (const words of arrivals(before, now)) tell(words);
  };

  const load = async (): Promise<void> => {
    take(await api.session());
    members.value = await api.members();
    barred.value = deviceBarred(members.value);
    if (!watched) return;
    held.value = members.value.held > 0 && info.you.role !== "viewer" ? await api.held() : [];
    alone.value = (session.value?.alone ?? 0) > 0 ? await api.edits(ALONE_MAX, true) : [];
  };

  /** One question at a time; whatever asks meanwhile is answered by one more. What can't be asked is said elsewhere. */
  const refresh = (): void => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    again = false;
    load()
      .catch((error: unknown) => {
        if (error instanceof ApiError && error.status === 403) denied.value = `${error.message} ${error.hint}`.trim();
      })
      .finally(() => {
        setTimeout(() => {
          running = false;
          if (again) refresh();
        }, PAUSE_MS);
      });
  };

  return {
    session,
    denied,
    members,
    held,
    alone,
    invitation,
    nearby,
    barred: computed(() => barredFor(info.you.role, production.away.value)),
    watch: (open) => {
      watched = open;
      if (open) refresh();
    },
    refresh,
    look: async (seconds) => {
      try {
        nearby.value = await api.nearby(seconds);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        nearby.value = { devices: [], problem: `${error.message} ${error.hint}`.trim() };
      }
    },
    committed: ({ documents }) => {
      // A change of who is a member touches no document.
      if (watched || documents.length === 0) refresh();
    },
    run: async (what, done = "") => {
      try {
        await what(api);
        if (done !== "") tell(done);
        return "";
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return `${error.message} ${error.hint}`.trim();
      } finally {
        refresh();
      }
    },
  };
}
