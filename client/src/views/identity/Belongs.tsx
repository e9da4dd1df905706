/** What an entity stands for and what it is part of, above its history. */
import type { JSX } from "preact";
import { fullLabel } from "../../domain/schema";
import { nameOfAny, nameOfThing } from "../../state/identity";
import { asking } from "../../state/look";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";
import { openThing } from "../panels";
import { Barred } from "./Barred";

export function Belongs({ opened, entity }: { readonly opened: Opened; readonly entity: string }): JSX.Element | null {
  const { production } = opened;
  const bonds = production.bonds.value;
  const barred = production.barred.value;
  const absorbed = bonds.absorbed(entity);
  const belongs = bonds.belongsTo(entity);
  if (absorbed.length === 0 && belongs.length === 0) return null;
  return (
    <section class="belongs" data-testid="belongs">
      <Barred reason={barred} />
      {belongs.length > 0 && <h3>Belongs to</h3>}
      {belongs.map(({ facet, thing }) => {
        const view = production.facet(facet);
        const concept = bonds.concepts.get(bonds.things.get(thing) ?? "")?.label ?? "";
        return (
          <button key={facet} type="button" class="inbox-item" onClick={() => openThing(thing)}>
            <Icon name="link" />
            <span>
              {concept} {nameOfThing(production, thing)}
              <span class="lines">as {view === null ? facet : fullLabel(view)}</span>
            </span>
          </button>
        );
      })}
      {absorbed.length > 0 && <h3>Merged into it</h3>}
      <ul class="inbox">
        {absorbed.map((id) => {
          const name = lastName(opened, id);
          return (
            <li key={id} class="picked-line" data-entity={id}>
              {name}
              <button
                type="button"
                disabled={barred !== ""}
                data-testid="split"
                aria-label={`Split ${name} off again`}
                onClick={() => {
                  asking.value = {
                    kind: "sure",
                    sure: {
                      title: `Split ${name} off again?`,
                      text: "It is a row of its own again, with everything it had before the merge. What has been set since stays with the one that it was merged into.",
                      verb: "Split",
                      operations: [{ op: "split_entity", entity: id }],
                      done: `${name} is itself again.`,
                    },
                  };
                }}
              >
                Split…
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

/** A merged entity has no row; the page calls it by its id's end and by who stands for it. */
const lastName = ({ production }: Opened, id: string): string => {
  const name = nameOfAny(production, id);
  return name === id ? id : `${name} (${id})`;
};
