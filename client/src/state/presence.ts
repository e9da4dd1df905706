/** Who is here, and in which cell. */
import { computed, signal, type ReadonlySignal } from "@preact/signals";
import type { OpenDocument } from "../data/documents";
import { keepName } from "../data/token";
import { groupBy } from "../domain/groups";
import { cellId, documentOf } from "../domain/keys";
import { cleanName, colorFor, people, readPerson, type Person } from "../domain/presence";

export interface Presence {
  /** Other pages, in all documents. */
  readonly others: ReadonlySignal<readonly Person[]>;
  readonly people: ReadonlySignal<ReturnType<typeof people>>;
  readonly cells: ReadonlySignal<ReadonlyMap<string, readonly Person[]>>;
  /** The name others see; "" leaves it to the node, which knows whose token this is. */
  readonly name: ReadonlySignal<string>;
  rename(name: string): void;
  moveTo(facet: string, entity: string, field: string): void;
}

export function createPresence(documents: ReadonlyMap<string, OpenDocument>, firstName: string): Presence {
  const others = signal<readonly Person[]>([]);
  const name = signal(firstName);

  const introduce = (): void => {
    const color = colorFor(name.value === "" ? crypto.randomUUID() : name.value);
    const user = name.value === "" ? { color } : { name: name.value, color };
    for (const { link } of documents.values()) link.awareness.setLocalStateField("user", user);
  };

  const gather = (): void => {
    others.value = [...documents.values()].flatMap(({ link }) =>
      [...link.awareness.getStates()]
        .filter(([client]) => client !== link.awareness.clientID)
        .flatMap(([client, state]) => readPerson(client, state) ?? []),
    );
  };

  for (const { link } of documents.values()) link.awareness.on("change", gather);
  introduce();

  return {
    others,
    people: computed(() => people(others.value)),
    cells: computed(() =>
      groupBy(
        others.value.filter((person) => person.cell !== null),
        ({ cell }) => (cell === null ? "" : cellId(cell.facet, cell.entity, cell.field)),
      ),
    ),
    name,
    rename: (wanted) => {
      name.value = cleanName(wanted);
      keepName(name.value);
      introduce();
    },
    moveTo: (facet, entity, field) => {
      const at = documentOf(facet);
      for (const [document, { link }] of documents) {
        const cell = document === at ? { facet, entity, field } : null;
        if (cell !== null || link.awareness.getLocalState()?.["cell"]) link.awareness.setLocalStateField("cell", cell);
      }
    },
  };
}
