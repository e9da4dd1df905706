/**
 * A facet as a sheet: what is shown in which order, where the cursor is, and the edit under way.
 *
 * The cursor belongs to an entity and a field, not to a row number: when somebody renumbers, it moves along.
 */
import { computed, effect, signal, untracked, type ReadonlySignal } from "@preact/signals";
import { display } from "../domain/format";
import { numbering, type FacetView } from "../domain/schema";
import { at, clamp, type Selection } from "../domain/selection";
import { defaultSort, filterRows, sortRows, titleOf, type Row, type Sort } from "../domain/table";
import type { Value } from "../domain/values";
import { createEditing, type Draft, type Editing } from "./editing";
import type { Presence } from "./presence";
import type { Production } from "./production";

export interface Sheet {
  readonly facet: FacetView;
  readonly rows: ReadonlySignal<readonly Row[]>;
  readonly total: ReadonlySignal<number>;
  readonly indexOf: ReadonlySignal<ReadonlyMap<string, number>>;
  readonly sorts: ReadonlySignal<readonly Sort[]>;
  readonly filter: ReadonlySignal<string>;
  /** Values of the first field that groups the rows ("LX", "SND"), and the one looked at; "" for all. */
  readonly scopes: ReadonlySignal<readonly string[]>;
  readonly scope: ReadonlySignal<string>;
  readonly selection: ReadonlySignal<Selection>;
  readonly editing: Editing;
  sortBy(field: string): void;
  filterBy(text: string): void;
  scopeTo(scope: string): void;
  select(selection: Selection): void;
  /** Put the cursor on an entity's field; lifts the filters when they hide it. False when it isn't there. */
  goTo(entity: string, field: string): boolean;
  title(entity: string): string;
  has(entity: string): boolean;
  value(entity: string, field: string): Value | undefined;
}

export function createSheet(production: Production, presence: Presence, facet: FacetView): Sheet {
  const all = production.rowsOf(facet);
  const sorts = signal<readonly Sort[]>(defaultSort(facet));
  const filter = signal("");
  const scope = signal("");
  const selection = signal<Selection>(at(0, Math.min(facet.frozen - 1, facet.columns.length - 1)));
  const scopeField = numbering(facet)?.group[0] ?? null;

  const draft = signal<Draft | null>(null);
  const edited = computed(() => draft.value?.row ?? null);

  const sorted = computed(() => {
    const gone = edited.value !== null && !all.value.has(edited.value.entity);
    return sortRows(gone ? [...all.value.values(), edited.value] : all.value.values(), sorts.value);
  });
  const scopes = computed(() => {
    if (scopeField === null) return [];
    const found = new Set(sorted.value.map((row) => display(row.values[scopeField], "string")));
    found.delete("");
    return [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true }));
  });
  const rows = computed(() => {
    const inScope =
      scope.value === "" || scopeField === null
        ? sorted.value
        : sorted.value.filter((row) => display(row.values[scopeField], "string") === scope.value);
    const found = filterRows(inScope, facet.columns, filter.value);
    const editing = edited.value?.entity;
    if (editing === undefined || found.some(({ entity }) => entity === editing)) return found;
    const kept = new Set(found.map(({ entity }) => entity)).add(editing);
    return sorted.value.filter(({ entity }) => kept.has(entity));
  });
  const indexOf = computed(() => new Map(rows.value.map((row, index) => [row.entity, index])));

  let shown: readonly Row[] = [];
  effect(() => {
    const now = rows.value;
    const before = shown;
    shown = now;
    untracked(() => {
      selection.value = follow(selection.value, before, indexOf.value, now.length, facet.columns.length);
    });
  });

  const sheet: Omit<Sheet, "editing"> = {
    facet,
    rows,
    total: computed(() => sorted.value.length),
    indexOf,
    sorts,
    filter,
    scopes,
    scope,
    selection,
    sortBy: (field) => {
      const first = sorts.value[0];
      const turned = first?.field === field && sorts.value.length === 1 && first.descending;
      if (turned) sorts.value = defaultSort(facet);
      else sorts.value = [{ field, descending: first?.field === field && sorts.value.length === 1 }];
    },
    filterBy: (text) => {
      filter.value = text;
    },
    scopeTo: (wanted) => {
      scope.value = wanted;
    },
    select: (wanted) => {
      selection.value = clamp(wanted, { rows: rows.value.length, cols: facet.columns.length, page: 1 });
    },
    goTo: (entity, field) => {
      if (!all.value.has(entity)) return false;
      if (!indexOf.value.has(entity)) {
        filter.value = "";
        scope.value = "";
      }
      const row = indexOf.value.get(entity);
      if (row === undefined) return false;
      const col = facet.columns.findIndex((column) => column.field === field);
      selection.value = at(row, Math.max(0, col));
      return true;
    },
    has: (entity) => all.value.has(entity),
    title: (entity) => titleOf(facet, all.value.get(entity) ?? (edited.value?.entity === entity ? edited.value : { entity, values: {} })),
    value: (entity, field) => all.value.get(entity)?.values[field],
  };

  effect(() => {
    const { row, col } = selection.value.active;
    const entity = rows.value[row]?.entity;
    const field = facet.columns[col]?.field;
    if (entity !== undefined && field !== undefined) presence.moveTo(facet.name, entity, field);
  });

  return { ...sheet, editing: createEditing(production, sheet, draft) };
}

/** The selection after the rows have changed: on the same entities where they still are, else on the same places. */
function follow(
  selection: Selection,
  before: readonly Row[],
  indexOf: ReadonlyMap<string, number>,
  rows: number,
  cols: number,
): Selection {
  const moved = (row: number): number => indexOf.get(before[row]?.entity ?? "") ?? row;
  const active = { ...selection.active, row: moved(selection.active.row) };
  const anchor = { ...selection.anchor, row: moved(selection.anchor.row) };
  const head = { ...selection.head, row: moved(selection.head.row) };
  const same = active.row === selection.active.row && anchor.row === selection.anchor.row && head.row === selection.head.row;
  const next = same ? selection : { active, anchor, head };
  const kept = clamp(next, { rows: Math.max(rows, 1), cols, page: 1 });
  return same && kept.active.row === selection.active.row && kept.head.row === selection.head.row ? selection : kept;
}
