/** One real thing: its values, which every bound field shows, and everything that belongs to it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { columnOf, type ConceptField } from "../../domain/bonds";
import { THING } from "../../domain/conflicts";
import { display, parse } from "../../domain/format";
import { commit, fieldsOfThing, nameOfMember, nameOfThing, valueOfThing } from "../../state/identity";
import { asking, panel } from "../../state/look";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";
import { Panel } from "../../ui/Panel";
import { closePanel, openConcept, openConcepts } from "../panels";
import { Barred } from "./Barred";

interface Props {
  readonly opened: Opened;
  readonly id: string;
  readonly onGoTo: (facet: string, entity: string, field: string) => void;
}

export function ThingPanel({ opened, id, onGoTo }: Props): JSX.Element {
  const { production, conflicts } = opened;
  const bonds = production.bonds.value;
  const barred = production.barred.value;
  const concept = bonds.concepts.get(bonds.things.get(id) ?? "");
  const back = concept === undefined ? openConcepts : (): void => openConcept(concept.name);
  const title = nameOfThing(production, id);
  if (concept === undefined) {
    return (
      <Panel title="Nothing here" testId="thing" onClose={closePanel} onBack={back} back="Back to all concepts">
        <p class="hint">Nothing belongs to it any more. All values are where they were, each in its own row.</p>
      </Panel>
    );
  }
  const open = conflicts.open.value.filter((conflict) => conflict.facet === THING && conflict.entity === id);
  return (
    <Panel title={`${concept.label} ${title}`} testId="thing" onClose={closePanel} onBack={back} back={`Back to ${concept.label}`}>
      <Barred reason={barred} />
      {open.map((conflict) => (
        <button
          key={conflict.id}
          type="button"
          class="inbox-item open"
          onClick={() => void (panel.value = { kind: "conflict", id: conflict.id })}
        >
          <Icon name="flag" />
          <span>{conflict.sentence}</span>
        </button>
      ))}
      {fieldsOfThing(production, id).map((field) => (
        <Value key={field.field} {...{ opened, id, field, barred }} />
      ))}
      <h3>Belongs to it</h3>
      <ul class="inbox" data-testid="members">
        {bonds.members(id).map((member) => {
          const name = nameOfMember(production, member);
          return (
            <li key={`${member.facet}/${member.entity}`} class="candidate" data-entity={member.entity}>
              <div class="candidate-value">{name}</div>
              <div class="row">
                <button type="button" aria-label={`Show ${name} in the sheet`} onClick={() => onGoTo(member.facet, member.entity, "")}>
                  Show
                </button>
                <button
                  type="button"
                  disabled={barred !== ""}
                  data-testid="unbind-member"
                  aria-label={`Unbind ${name}`}
                  onClick={() => {
                    asking.value = {
                      kind: "sure",
                      sure: {
                        title: `Unbind ${name}?`,
                        text: `It no longer is this ${concept.label}. All its values stay as they are, and so does the history; from then on it is edited by itself.`,
                        verb: "Unbind",
                        operations: [{ op: "unbind", entity: member.entity, facet: member.facet }],
                        done: `${name} is unbound; its values stay.`,
                      },
                    };
                  }}
                >
                  Unbind…
                </button>
              </div>
            </li>
          );
        })}
      </ul>
    </Panel>
  );
}

interface ValueProps {
  readonly opened: Opened;
  readonly id: string;
  readonly field: ConceptField;
  readonly barred: string;
}

function Value({ opened, id, field, barred }: ValueProps): JSX.Element {
  const { production } = opened;
  const column = columnOf(field);
  const shown = display(valueOfThing(production, id, field.field), column.type);
  const text = useSignal<string | null>(null);
  const problem = useSignal("");
  const busy = useSignal(false);
  const name = `thing-${field.field}`;
  const typed = text.value ?? shown;
  const save = async (): Promise<void> => {
    const parsed = parse(typed, column);
    problem.value = parsed.ok ? "" : parsed.message;
    if (!parsed.ok || typed === shown) return;
    busy.value = true;
    const operations = [{ op: "set_concept_field", entity: id, field: field.field, value: parsed.value }];
    problem.value = await commit(production, operations, "", `${field.label} is set, everywhere.`);
    busy.value = false;
    if (problem.value === "") text.value = null;
  };
  return (
    <form
      class="own-value"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <label for={name}>{field.label}</label>
      <div class="row">
        <input
          id={name}
          autocomplete="off"
          value={typed}
          disabled={barred !== ""}
          aria-invalid={problem.value !== ""}
          aria-describedby={`${name}-problem`}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" disabled={barred !== "" || busy.value || typed === shown}>
          Set
        </button>
      </div>
      <p id={`${name}-problem`} class="problem" role="alert">
        {problem.value}
      </p>
    </form>
  );
}
