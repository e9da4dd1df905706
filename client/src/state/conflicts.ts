/** Conflicts: the open ones for the flags, and the list that the inbox shows. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import { ApiError, presentConflict, type Api } from "../data/api";
import { followEvents, type CommitEvent } from "../data/events";
import type { Store } from "../data/store";
import type { Bonds } from "../domain/bonds";
import { flagsOf, inReadingOrder, type Conflict, type StatusFilter } from "../domain/conflicts";
import type { Value } from "../domain/values";

export interface Answer {
  /** What to tell the person; null when it is done. */
  readonly problem: string | null;
  /** Others, or none, are in its place now. */
  readonly gone?: boolean;
}

export interface Touched {
  readonly entities: readonly string[];
  readonly conflicts: readonly string[];
  readonly documents: readonly string[];
}

export interface Conflicts {
  readonly open: ReadonlySignal<readonly Conflict[]>;
  readonly flags: ReadonlySignal<ReadonlyMap<string, Conflict>>;
  readonly filter: ReadonlySignal<StatusFilter>;
  readonly listed: ReadonlySignal<readonly Conflict[]>;
  readonly problem: ReadonlySignal<string | null>;
  /** What the node's latest commit touched: whoever shows it looks again. */
  readonly commits: ReadonlySignal<Touched>;
  byId(id: string): Conflict | null;
  /** Ask the node how one conflict stands, whatever its status. */
  look(id: string): void;
  show(filter: StatusFilter): void;
  refresh(): void;
  /** The session is another: who is here, what waits for a word. Counts up. */
  readonly sessions: ReadonlySignal<number>;
  /** Listen to the node no longer. */
  stop(): void;
  reopen(conflict: Conflict): Promise<Answer>;
  answer(conflict: Conflict, answer: { choose: string } | { value: Value }): Promise<Answer>;
}

/** What maps a conflict to the cells that it flags, and who looks at it. */
export interface Shown {
  readonly bonds: ReadonlySignal<Bonds>;
  readonly facets: ReadonlySet<string>;
  /** There is no such conflict any more. */
  readonly left?: (id: string) => void;
}

export function createConflicts(api: Api, store: Store | null, workspace: string, shown: Shown): Conflicts {
  const cacheKey = `conflicts/${workspace}`;
  const open = signal<readonly Conflict[]>([]);
  const filter = signal<StatusFilter>("open");
  const others = signal<readonly Conflict[]>([]);
  const known = signal<ReadonlyMap<string, Conflict>>(new Map());
  const problem = signal<string | null>(null);
  const commits = signal<Touched>({ entities: [], conflicts: [], documents: [] });
  const sessions = signal(0);
  const listed = computed(() => (filter.value === "open" ? open.value : others.value));

  let running = false;
  let again = false;

  const load = async (): Promise<void> => {
    const wanted = filter.value;
    open.value = inReadingOrder(await api.conflicts("open"));
    if (wanted !== "open") {
      const found = inReadingOrder(await api.conflicts(wanted));
      if (wanted === filter.value) others.value = found;
    }
    problem.value = null;
    await store?.set(cacheKey, open.value).catch(() => undefined);
  };

  /** One question at a time; whatever asks meanwhile is answered by one more. */
  const refresh = (): void => {
    if (running) {
      again = true;
      return;
    }
    running = true;
    load()
      .catch((error: unknown) => {
        problem.value = error instanceof ApiError ? error.message : String(error);
      })
      .finally(() => {
        running = false;
        if (again) {
          again = false;
          refresh();
        }
      });
  };

  const onCommit = (event: CommitEvent): void => {
    commits.value = event;
    if (event.conflicts.length > 0) refresh();
  };

  const replace = (present: Conflict): void => {
    known.value = new Map([...known.value, [present.id, present]]);
    const swap = (list: readonly Conflict[]): Conflict[] => list.map((c) => (c.id === present.id ? present : c));
    open.value = swap(open.value).filter((c) => c.status === "open");
    others.value = swap(others.value);
  };

  const leave = (id: string): void => {
    known.value = new Map([...known.value].filter(([other]) => other !== id));
    shown.left?.(id);
  };

  const decided = (id: string, present: Conflict | null): Answer => {
    if (present === null) leave(id);
    else replace(present);
    refresh();
    return { problem: null, gone: present === null };
  };

  void (store?.get(cacheKey) ?? Promise.resolve(undefined)).then((cached) => {
    if (Array.isArray(cached) && open.value.length === 0) open.value = cached as Conflict[];
  });
  const listening = new AbortController();
  const onSession = (): void => {
    sessions.value += 1;
  };
  const onOpen = (): void => {
    refresh();
    onSession();
  };
  void followEvents(api, { onOpen, onCommit, onSession }, listening.signal);
  // Also where this access may not listen: then the answer says why nothing is known.
  refresh();

  return {
    open,
    flags: computed(() => flagsOf(open.value, shown.bonds.value, shown.facets)),
    filter,
    listed,
    problem,
    commits,
    sessions,
    byId: (id) => known.value.get(id) ?? [...open.value, ...others.value].find((conflict) => conflict.id === id) ?? null,
    look: (id) => {
      api.conflict(id).then(replace, (error: unknown) => {
        if (error instanceof ApiError && error.status === 404) return leave(id);
        problem.value = error instanceof ApiError ? error.message : String(error);
      });
    },
    show: (wanted) => {
      filter.value = wanted;
      refresh();
    },
    refresh,
    stop: () => {
      listening.abort();
    },
    reopen: async ({ id }) => {
      try {
        return decided(id, await api.reopen(id));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        return { problem: `${error.message} ${error.hint}`.trim() };
      }
    },
    answer: async (conflict, answer) => {
      try {
        return decided(conflict.id, await api.resolve(conflict.id, answer, conflict.heads));
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.status !== 409) return { problem: `${error.message} ${error.hint}`.trim() };
        replace(presentConflict(error) ?? (await api.conflict(conflict.id)));
        refresh();
        return { problem: "It has changed since you looked. This is how it stands now: choose again." };
      }
    },
  };
}
