/** The node's HTTP interface, as far as the page uses it. */
import type { Conflict, StatusFilter } from "../domain/conflicts";
import type { History } from "../domain/history";
import type { Importer, ImportPlan } from "../domain/imports";
import type { MergePreview, Operation, Proposal, SameField, Suggestions } from "../domain/identity";
import { readEdges, readFacets, type EdgeView, type FacetView } from "../domain/schema";
import type { Edit, Held, Invitation, Member, Members, Nearby, SessionStatus } from "../domain/together";
import type { Value } from "../domain/values";

export interface WorkspaceInfo {
  readonly id: string;
  readonly name: string;
  readonly documents: readonly string[];
  readonly facets: readonly FacetView[];
  readonly edges: readonly EdgeView[];
  /** Who the access token stands for. */
  readonly you: { readonly name: string; readonly role: string };
}

/** `code` is the node's; "unreachable" when there was no answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";

  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly hint: string,
    readonly body: unknown,
  ) {
    super(message);
  }

  get unreachable(): boolean {
    return this.status === 0;
  }
}

/** An edge as one of its ends sees it. */
export interface Relation {
  readonly id: string;
  readonly edge: string;
  readonly from: string | null;
  readonly to: string | null;
  readonly label: string;
  readonly direction: "out" | "in";
  /** How people call the other end. */
  readonly title: string;
  readonly properties: Readonly<Record<string, Value>>;
}

type Json = Record<string, unknown>;

export class Api {
  constructor(
    private readonly token: string,
    private readonly base = "/api/v1",
  ) {}

  /** The workspace as the node tells it: kept as it came, and read by `readWorkspace`. */
  workspace(): Promise<unknown> {
    return this.call("GET", "/workspace");
  }

  /** All conflicts of a status, however many pages they take. */
  async conflicts(status: StatusFilter): Promise<Conflict[]> {
    const found: Conflict[] = [];
    let after = "";
    do {
      const query = new URLSearchParams({ status, limit: "500", ...(after === "" ? {} : { after }) });
      const page = (await this.call("GET", `/conflicts?${query}`)) as { conflicts: Conflict[]; next?: string | null };
      found.push(...page.conflicts);
      after = page.next ?? "";
    } while (after !== "");
    return found;
  }

  conflict(id: string): Promise<Conflict> {
    return this.call("GET", `/conflicts/${encodeURIComponent(id)}`) as Promise<Conflict>;
  }

  /** Throws ApiError 409 with the present conflict in `body` when it isn't what `heads` says any more. */
  resolve(id: string, answer: { choose: string } | { value: Value }, heads: readonly string[]): Promise<Conflict | null> {
    return this.decide(id, "resolutions", { ...answer, heads });
  }

  /** Take the standing decision back. */
  reopen(id: string): Promise<Conflict | null> {
    return this.decide(id, "reopen", {});
  }

  /** The conflict as it is then; null where others, or none, are in its place. */
  private async decide(id: string, what: string, body: unknown): Promise<Conflict | null> {
    const answer = await this.call("POST", `/conflicts/${encodeURIComponent(id)}/${what}`, body);
    return (answer as { conflict: Conflict | null }).conflict;
  }

  /** The relations of an entity, both ways. */
  async edges(entity: string): Promise<readonly Relation[]> {
    return ((await this.call("GET", `/entities/${encodeURIComponent(entity)}`)) as { edges: Relation[] }).edges;
  }

  history(entity: string): Promise<History> {
    return this.call("GET", `/history/${encodeURIComponent(entity)}`) as Promise<History>;
  }

  /** What the adopted plugins suggest; nothing follows from it. */
  suggestions(): Promise<Suggestions> {
    return this.call("GET", "/plugins/suggestions") as Promise<Suggestions>;
  }

  /** What asserting that entities are one will do; changes nothing. */
  async previewSame(concept: string, entities: readonly string[]): Promise<readonly SameField[]> {
    const answer = await this.call("POST", `/concepts/${encodeURIComponent(concept)}/preview`, { entities });
    return (answer as { fields: SameField[] }).fields;
  }

  /** What merging will do; changes nothing. */
  previewMerge(survivor: string, absorbed: string): Promise<MergePreview> {
    const query = new URLSearchParams({ absorbed });
    return this.call("GET", `/entities/${encodeURIComponent(survivor)}/merge-preview?${query}`) as Promise<MergePreview>;
  }

  /** The kinds of files that a plugin reads. */
  async importers(plugin: string): Promise<readonly Importer[]> {
    const answer = (await this.call("GET", "/plugins")) as { installed: { name: string; importers: Importer[] }[] };
    return answer.installed.find(({ name }) => name === plugin)?.importers ?? [];
  }

  /** What a file would change; does just what was `lookedAt`, when that is given, or fails. */
  async importFile(importer: string, file: File, lookedAt?: ImportPlan): Promise<ImportPlan> {
    const apply = lookedAt === undefined ? {} : { apply: "true", looked_at: lookedAt.digest };
    const query = new URLSearchParams({ file_name: file.name, ...apply });
    const answer = await this.call("POST", `/imports/${encodeURIComponent(importer)}?${query}`, file);
    return (answer as { proposal: ImportPlan }).proposal;
  }

  async proposals(): Promise<readonly Proposal[]> {
    return ((await this.call("GET", "/proposals")) as { proposals: Proposal[] }).proposals;
  }

  /** One bundle. `conflicts`: the open ones that it touched; `bundle` is "" where nothing had to be changed. */
  commit(operations: readonly Operation[], message: string): Promise<{ bundle: string; conflicts: readonly string[] }> {
    return this.call("POST", "/bundles", { operations, message }) as Promise<{ bundle: string; conflicts: string[] }>;
  }

  deleteEntities(entities: readonly string[], message: string): Promise<unknown> {
    const operations = entities.map((entity) => ({ op: "delete_entity", entity }));
    return this.commit(operations, message);
  }

  session(): Promise<SessionStatus> {
    return this.call("GET", "/session") as Promise<SessionStatus>;
  }

  /** The latest edits, newest first; with `alone` only those that are on no other device. */
  async edits(limit: number, alone = false): Promise<readonly Edit[]> {
    const query = new URLSearchParams({ limit: String(limit), ...(alone ? { alone: "true" } : {}) });
    return ((await this.call("GET", `/session/edits?${query}`)) as { edits: Edit[] }).edits;
  }

  /** Let one device more in; begins a gathering where there is none. */
  host(role: string): Promise<SessionStatus & Invitation> {
    return this.call("POST", "/session/host", { role }) as Promise<SessionStatus & Invitation>;
  }

  /** `link`: one, or three spoken words (of the device `at` addresses), or addresses of a member; "": those from before. */
  join(link: string, at = ""): Promise<SessionStatus> {
    return this.call("POST", "/session/join", { link, at }) as Promise<SessionStatus>;
  }

  nearby(seconds: number): Promise<Nearby> {
    return this.call("GET", `/session/nearby?seconds=${seconds}`) as Promise<Nearby>;
  }

  /** A person's word on a plan, or on a newcomer or a host by its device. */
  answerPlan(what: "approve" | "decline", plan: string): Promise<SessionStatus> {
    return this.call("POST", `/session/${what}`, { plan }) as Promise<SessionStatus>;
  }

  depart(how: "leave" | "end"): Promise<SessionStatus> {
    return this.call("POST", `/session/${how}`, {}) as Promise<SessionStatus>;
  }

  members(): Promise<Members> {
    return this.call("GET", "/members") as Promise<Members>;
  }

  changeMember({ device, grants }: Member, role: string): Promise<Members> {
    return this.call("POST", `/members/${encodeURIComponent(device)}`, { role, grants }) as Promise<Members>;
  }

  removeMember(device: string): Promise<unknown> {
    return this.call("DELETE", `/members/${encodeURIComponent(device)}`);
  }

  async held(): Promise<readonly Held[]> {
    return ((await this.call("GET", "/held")) as { held: Held[] }).held;
  }

  letIn(bundles: readonly string[]): Promise<unknown> {
    return this.call("POST", "/held", { bundles });
  }

  /** The stream of server-sent events; the caller reads the body. */
  async events(signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await fetch(`${this.base}/events`, {
      headers: { Authorization: `Bearer ${this.token}`, Accept: "text/event-stream" },
      cache: "no-store",
      signal,
    });
    if (!response.ok || response.body === null) throw await errorOf(response);
    return response.body;
  }

  private async call(method: string, path: string, body?: unknown): Promise<unknown> {
    let response: Response;
    try {
      response = await fetch(this.base + path, {
        method,
        headers: {
          Authorization: `Bearer ${this.token}`,
          Accept: "application/json",
          ...(body === undefined ? {} : { "Content-Type": body instanceof Blob ? "application/octet-stream" : "application/json" }),
        },
        cache: "no-store",
        ...(body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) }),
      });
    } catch {
      throw new ApiError(0, "unreachable", "The node doesn’t answer.", "This needs the node; try again when it is back.", null);
    }
    if (!response.ok) throw await errorOf(response);
    return response.json();
  }
}

async function errorOf(response: Response): Promise<ApiError> {
  const body: unknown = await response.json().catch(() => null);
  const error = ((body as Json | null)?.["error"] ?? body ?? {}) as Json;
  const text = (value: unknown, otherwise: string): string => (typeof value === "string" ? value : otherwise);
  return new ApiError(
    response.status,
    text(error["code"], String(response.status)),
    text(error["sentence"], `The node answered ${response.status}.`),
    text(error["hint"], ""),
    body,
  );
}

/** Null when it isn't a workspace. */
export function readWorkspace(json: unknown): WorkspaceInfo | null {
  const { id, name, documents, plugins, you } = (json ?? {}) as Json;
  if (typeof id !== "string") return null;
  const text = (value: unknown): string => (typeof value === "string" ? value : "");
  const person = (you ?? {}) as Json;
  return {
    id,
    name: typeof name === "string" ? name : id,
    documents: Array.isArray(documents) ? documents.filter((d) => typeof d === "string") : ["core"],
    facets: readFacets(plugins),
    edges: readEdges(plugins),
    you: { name: text(person["name"]), role: text(person["role"]) },
  };
}

/** The present conflict out of a 409's body. */
export function presentConflict(error: ApiError): Conflict | null {
  const body = (error.body ?? {}) as Json;
  const inner = (body["error"] ?? {}) as Json;
  const found = body["conflict"] ?? inner["conflict"] ?? (Array.isArray(body["candidates"]) ? body : null);
  return found as Conflict | null;
}
