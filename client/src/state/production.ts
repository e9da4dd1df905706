/** One opened production: its documents, its tables, and this person's edits with their undo. */
import { batch, computed, signal, type ReadonlySignal, type Signal } from "@preact/signals";
import type { Api, WorkspaceInfo } from "../data/api";
import type { OpenDocument } from "../data/documents";
import { Identity } from "../data/identity";
import { FacetTable, writeRegisters, type RegisterWrite } from "../data/registers";
import { noBonds, type Bonds } from "../domain/bonds";
import { groupBy } from "../domain/groups";
import { documentOf } from "../domain/keys";
import { saveState, type LinkState, type SaveState } from "../domain/saving";
import { presentKey, type FacetView } from "../domain/schema";
import type { Row } from "../domain/table";
import type { Value } from "../domain/values";
import { did, doAgain, noSteps, othersWrote, takeBack, type UndoStacks, type UndoStep } from "../domain/undo";

export interface Production {
  readonly info: WorkspaceInfo;
  readonly api: Api;
  readonly documents: ReadonlyMap<string, OpenDocument>;
  readonly links: ReadonlySignal<readonly LinkState[]>;
  readonly save: ReadonlySignal<SaveState>;
  readonly readOnly: ReadonlySignal<boolean>;
  /** Why it is, in a sentence. */
  readonly lookOnly: ReadonlySignal<string>;
  /** Why nothing can be asked of the node now, in a sentence; "" when it can. */
  readonly barred: ReadonlySignal<string>;
  /** Why nothing can be asked of the node; "" when it can. Who may change nothing may still join, leave and approve. */
  readonly away: ReadonlySignal<string>;
  /** What means what and what is one thing; empty where this page may not see `core`. */
  readonly bonds: ReadonlySignal<Bonds>;
  /** `<concept entity>/<field>` → value. */
  readonly canonical: ReadonlySignal<ReadonlyMap<string, Value>>;
  facet(name: string): FacetView | null;
  readonly undoLabel: ReadonlySignal<string | null>;
  readonly redoLabel: ReadonlySignal<string | null>;
  rowsOf(facet: FacetView): ReadonlySignal<ReadonlyMap<string, Row>>;
  /** Write registers of one document as one step that undo takes back. False when nothing changed. */
  edit(facet: FacetView, label: string, writes: readonly RegisterWrite[]): boolean;
  /** The step taken back or done again, or null. */
  undo(): UndoStep | null;
  redo(): UndoStep | null;
}

const waiting = new Set<() => void>();

/** In the next frame, once however often it is asked for; at once where no frames are drawn. */
function soon(show: () => void): void {
  if (typeof requestAnimationFrame !== "function" || document.visibilityState === "hidden") {
    show();
    return;
  }
  if (waiting.has(show)) return;
  waiting.add(show);
  requestAnimationFrame(() => {
    waiting.delete(show);
    show();
  });
}

export function createProduction(
  info: WorkspaceInfo,
  api: Api,
  documents: ReadonlyMap<string, OpenDocument>,
  links: Signal<readonly LinkState[]>,
  deviceBarred: ReadonlySignal<string> = signal(""),
): Production {
  const tables = new Map<string, Signal<ReadonlyMap<string, Row>>>();
  const stacks = signal<UndoStacks>(noSteps);
  const viewer = info.you.role === "viewer";

  const document = (facet: string): OpenDocument => {
    const found = documents.get(documentOf(facet));
    if (found === undefined) throw new Error(`No document holds ${facet}.`);
    return found;
  };

  const rowsOf = (facet: FacetView): Signal<ReadonlyMap<string, Row>> => {
    const known = tables.get(facet.name);
    if (known !== undefined) return known;
    const core = (documents.get("core") ?? document(facet.name)).doc;
    const show = (): void => {
      rows.value = table.rows;
    };
    const table = new FacetTable(document(facet.name).doc, core, facet, ({ others }) => {
      batch(() => {
        for (const [root, keys] of others) stacks.value = othersWrote(stacks.value, root, keys);
        // Others' edits may come by the hundred a second: one drawing per frame shows them all.
        if (others.size === 0) show();
        else soon(show);
      });
    });
    const rows = signal(table.rows);
    tables.set(facet.name, rows);
    return rows;
  };

  const apply = (taken: { step: UndoStep; stacks: UndoStacks } | null): UndoStep | null => {
    if (taken === null) return null;
    const byDocument = groupBy(taken.step.changes, (change) => change.document);
    for (const [name, changes] of byDocument) {
      const open = documents.get(name);
      if (open === undefined) continue;
      writeRegisters(open.doc, name, changes.map(({ root, key, after }) => ({ root, key, value: after })));
    }
    stacks.value = taken.stacks;
    return taken.step;
  };

  const facets = new Map(info.facets.map((facet) => [facet.name, facet]));
  const bonds = signal<Bonds>(noBonds);
  const canonical = signal<ReadonlyMap<string, Value>>(new Map());
  const core = documents.get("core");
  if (core !== undefined) {
    const present = (name: string, field: string): string => presentKey(facets.get(name), field);
    const take = (): void => {
      batch(() => {
        bonds.value = identity.bonds;
        canonical.value = identity.canonical;
      });
    };
    const identity = new Identity(core.doc, present, () => soon(take));
    take();
  }

  const lookOnly = computed(() => {
    const denied = viewer || links.value.some((link) => link.readOnly);
    return denied ? "Your access lets you look, not change." : deviceBarred.value;
  });
  const readOnly = computed(() => lookOnly.value !== "");
  const away = computed(() => {
    const { kind } = saveState(links.value);
    return kind === "offline" || kind === "refused" ? "This needs the node, and it is away." : "";
  });
  return {
    info,
    api,
    bonds,
    canonical,
    facet: (name) => facets.get(name) ?? null,
    away,
    barred: computed(() => lookOnly.value || away.value),
    documents,
    links,
    save: computed(() => saveState(links.value, readOnly.value)),
    readOnly,
    lookOnly,
    undoLabel: computed(() => stacks.value.undo.at(-1)?.label ?? null),
    redoLabel: computed(() => stacks.value.redo.at(-1)?.label ?? null),
    rowsOf,
    edit: (facet, label, writes) => {
      const { doc, name } = document(facet.name);
      const changes = writeRegisters(doc, name, writes);
      stacks.value = did(stacks.value, { label, changes });
      return changes.length > 0;
    },
    undo: () => apply(takeBack(stacks.value)),
    redo: () => apply(doAgain(stacks.value)),
  };
}
