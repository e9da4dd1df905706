/** From an address with a token to an opened production, with the node or without it. */
import { effect, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import { Api, ApiError, readWorkspace, type WorkspaceInfo } from "../data/api";
import { openDocument } from "../data/documents";
import { openStore, type Store } from "../data/store";
import { keepToken, takeFragment } from "../data/token";
import type { LinkState } from "../domain/saving";
import { createConflicts, type Conflicts } from "./conflicts";
import { panel } from "./look";
import { createPresence, type Presence } from "./presence";
import { createProduction, type Production } from "./production";
import { createTogether, type Together } from "./together";

export type Session =
  | { readonly phase: "token"; readonly problem: string }
  | { readonly phase: "loading" }
  | { readonly phase: "failed"; readonly problem: string; readonly hint: string }
  | ({ readonly phase: "ready" } & Opened);

export interface Opened {
  readonly production: Production;
  readonly conflicts: Conflicts;
  readonly presence: Presence;
  readonly together: Together;
  /** Whether this browser keeps the documents for when the node is away. */
  readonly keeps: boolean;
  /** Whether the production has other sheets, or another name, than the page shows until it is loaded again. */
  readonly outdated: ReadonlySignal<boolean>;
}

const CACHED_WORKSPACE = "workspace";

export const session: Signal<Session> = signal({ phase: "loading" });

export async function start(): Promise<void> {
  const { token, name } = takeFragment();
  await open(token, name);
}

export async function startWith(token: string): Promise<void> {
  keepToken(token);
  await open(token, takeFragment().name);
}

async function open(token: string, name: string): Promise<void> {
  if (token === "") {
    session.value = { phase: "token", problem: "" };
    return;
  }
  session.value = { phase: "loading" };
  const store = await openStore();
  const api = new Api(token);
  try {
    const info = await loadWorkspace(api, store);
    session.value = { phase: "ready", ...(await openProduction(info, api, token, name, store)) };
  } catch (error) {
    session.value = problemOf(error);
  }
}

/** From the node; from this browser when the node is away. */
async function loadWorkspace(api: Api, store: Store | null): Promise<WorkspaceInfo> {
  let json: unknown;
  try {
    json = await api.workspace();
    await store?.set(CACHED_WORKSPACE, json).catch(() => undefined);
  } catch (error) {
    if (!(error instanceof ApiError) || !(error.unreachable || error.status >= 500)) throw error;
    json = await store?.get(CACHED_WORKSPACE);
    if (json === undefined) throw error;
  }
  const info = readWorkspace(json);
  if (info === null) throw new ApiError(200, "format", "The node’s answer isn’t a workspace.", "Reload the page.", json);
  return info;
}

async function openProduction(
  info: WorkspaceInfo,
  api: Api,
  token: string,
  name: string,
  store: Store | null,
): Promise<Opened> {
  const links = signal<readonly LinkState[]>([]);
  const socketUrl = location.origin.replace(/^http/, "ws");
  const onLink = (state: LinkState): void => {
    const others = links.value.filter((link) => link.document !== state.document);
    links.value = [...others, state];
  };
  // A token may be for one document only: the others, `core` among them, aren't asked for.
  const names = info.documents;
  const options = { socketUrl, workspace: info.id, token, keeps: store !== null, onLink };
  const documents = new Map(
    await Promise.all(names.map(async (document) => [document, await openDocument(document, options)] as const)),
  );
  links.value = [...documents.values()].map(({ link }) => link.state);
  const barred = signal("");
  const production = createProduction(info, api, documents, links, barred);
  const conflicts = createConflicts(api, store, info.id, {
    bonds: production.bonds,
    facets: new Set(info.facets.map((facet) => facet.name)),
    left: (id) => {
      if (panel.value.kind === "conflict" && panel.value.id === id) panel.value = { kind: "inbox" };
    },
  });
  const together = createTogether(production, barred);
  conflicts.sessions.subscribe((count) => {
    if (count > 0) together.refresh();
  });
  conflicts.commits.subscribe(together.committed);
  together.refresh();
  const presence = createPresence(documents, name || info.you.name);
  const connect = (): void => {
    for (const { link } of documents.values()) link.connect();
  };
  connect();
  // A page that is put aside leaves at once instead of standing in the list until it times out.
  addEventListener("pagehide", () => {
    for (const { link } of documents.values()) link.disconnect();
  });
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) connect();
  });
  addEventListener("online", connect);
  const outdated = watchWorkspace(info, api, conflicts);
  return { production, conflicts, presence, together, keeps: store !== null, outdated };
}

const AGAIN_MS = 2000;

/** A plugin is adopted, or a newcomer's copy fills: asked for after commits to `core`, and while nothing is there to show. */
function watchWorkspace(info: WorkspaceInfo, api: Api, { commits, sessions }: Conflicts): ReadonlySignal<boolean> {
  const outdated = signal(false);
  const shown = JSON.stringify(info);
  const look = (): void => {
    api.workspace().then(
      (json) => {
        const found = readWorkspace(json);
        if (found !== null && JSON.stringify(found) !== shown) outdated.value = true;
      },
      // Not reachable: said elsewhere. Where nothing is shown nothing else may ask again.
      () => void (info.facets.length === 0 && setTimeout(look, AGAIN_MS)),
    );
  };
  effect(() => {
    const { documents } = commits.value;
    if (documents.includes("core") || (documents.length > 0 && info.facets.length === 0)) look();
  });
  effect(() => {
    if (sessions.value > 0 && info.facets.length === 0) look();
  });
  return outdated;
}

function problemOf(error: unknown): Session {
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
    return { phase: "token", problem: error.message };
  }
  if (error instanceof ApiError) {
    const hint = error.unreachable
      ? "Start it with “openprod serve”, then reload. This browser hasn’t opened this production before, so nothing is kept here yet."
      : error.hint;
    return { phase: "failed", problem: error.message, hint };
  }
  return { phase: "failed", problem: error instanceof Error ? error.message : String(error), hint: "Reload the page." };
}
