/** One concept: its fields, the facets bound to it, and its things. */
import type { JSX } from "preact";
import type { Binding, Concept } from "../../domain/bonds";
import { CONCEPT_TYPES, draftOf, suggestedBindings } from "../../domain/identity";
import { fullLabel } from "../../domain/schema";
import { nameOfThing } from "../../state/identity";
import { asking } from "../../state/look";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";
import { Panel } from "../../ui/Panel";
import { closePanel, openConcepts, openThing } from "../panels";
import { Barred } from "./Barred";
import { things, useSuggestions } from "./ConceptsPanel";

interface Props {
  readonly opened: Opened;
  readonly name: string;
}

export function ConceptPanel({ opened, name }: Props): JSX.Element {
  const { production } = opened;
  const bonds = production.bonds.value;
  const barred = production.barred.value;
  const suggestions = useSuggestions(opened);
  const concept = bonds.concepts.get(name);
  if (concept === undefined) {
    return (
      <Panel title={name} testId="concept" onClose={closePanel} onBack={openConcepts} back="Back to all concepts">
        <p class="hint">This concept isn’t there any more.</p>
      </Panel>
    );
  }
  const bindings = bonds.bindingsOf(name);
  const suggested = suggestions === null ? [] : suggestedBindings(suggestions, name, bonds);
  return (
    <Panel title={concept.label} testId="concept" onClose={closePanel} onBack={openConcepts} back="Back to all concepts">
      <Barred reason={barred} />
      <p>{concept.fields.map(({ label, type }) => (type === "string" ? label : `${label} (${CONCEPT_TYPES[type] ?? type})`)).join(", ")}</p>
      <div class="buttons start">
        <button
          type="button"
          disabled={barred !== ""}
          data-testid="edit-concept"
          onClick={() => void (asking.value = { kind: "define", draft: draftOf(concept), anew: false })}
        >
          Edit…
        </button>
        <button
          type="button"
          disabled={barred !== ""}
          data-testid="bind-facet"
          onClick={() => void (asking.value = { kind: "bind", concept: name, facet: "", suggested: null })}
        >
          <Icon name="link" /> Bind a sheet…
        </button>
      </div>
      {bindings.length > 0 && <h3>Bound</h3>}
      <ul class="inbox">
        {bindings.map((binding) => (
          <Bound key={binding.facet} {...{ opened, concept, binding, barred }} />
        ))}
      </ul>
      {suggested.length > 0 && <h3>Suggested by the plugins</h3>}
      <ul class="inbox">
        {suggested.map((binding) => (
          <li key={binding.facet} class="candidate">
            <div class="candidate-value">{labelOf(opened, binding.facet)}</div>
            <div class="candidate-who">{pairsOf(opened, concept, binding)}</div>
            <button
              type="button"
              disabled={barred !== ""}
              data-testid="suggested-binding"
              aria-label={`Look at the suggested binding of ${labelOf(opened, binding.facet)}`}
              onClick={() => void (asking.value = { kind: "bind", concept: name, facet: binding.facet, suggested: binding })}
            >
              Look at it…
            </button>
          </li>
        ))}
      </ul>
      <Things opened={opened} concept={concept} />
    </Panel>
  );
}

const labelOf = ({ production }: Opened, facet: string): string => {
  const view = production.facet(facet);
  return view === null ? facet : fullLabel(view);
};

/** "Name ↔ Name, Email ↔ Email" */
function pairsOf({ production }: Opened, concept: Concept, binding: Binding): string {
  const columns = production.facet(binding.facet)?.columns ?? [];
  return concept.fields
    .flatMap(({ field, label }) => {
      const theirs = binding.fields[field];
      return theirs === undefined ? [] : `${label} ↔ ${columns.find((column) => column.field === theirs)?.label ?? theirs}`;
    })
    .join(", ");
}

interface BoundProps {
  readonly opened: Opened;
  readonly concept: Concept;
  readonly binding: Binding;
  readonly barred: string;
}

function Bound({ opened, concept, binding, barred }: BoundProps): JSX.Element {
  const label = labelOf(opened, binding.facet);
  return (
    <li class="candidate" data-facet={binding.facet}>
      <div class="candidate-value">{label}</div>
      <div class="candidate-who">{pairsOf(opened, concept, binding)}</div>
      <div class="row">
        <button
          type="button"
          disabled={barred !== ""}
          aria-label={`Change the binding of ${label}`}
          onClick={() => void (asking.value = { kind: "bind", concept: concept.name, facet: binding.facet, suggested: null })}
        >
          Change…
        </button>
        <button
          type="button"
          disabled={barred !== ""}
          data-testid="unbind-facet"
          aria-label={`Unbind ${label}`}
          onClick={() => {
            asking.value = {
              kind: "sure",
              sure: {
                title: `Unbind ${label}?`,
                text: `Its rows no longer belong to any ${concept.label}. All values stay as they are, and so does the history; from then on each row is edited by itself.`,
                verb: "Unbind",
                operations: [{ op: "unbind_facet", facet: binding.facet }],
                done: `${label} is unbound; its values stay.`,
              },
            };
          }}
        >
          Unbind…
        </button>
      </div>
    </li>
  );
}

const LISTED_MAX = 200;

function Things({ opened, concept }: { readonly opened: Opened; readonly concept: Concept }): JSX.Element {
  const { production, conflicts } = opened;
  const ids = production.bonds.value.thingsOf(concept.name);
  const disputed = new Set(conflicts.open.value.map(({ entity }) => entity));
  const listed = ids.map((id) => ({ id, title: nameOfThing(production, id) }));
  listed.sort((a, b) => a.title.localeCompare(b.title, "en", { numeric: true }));
  return (
    <>
      <h3>{things(ids.length)}</h3>
      {ids.length === 0 && (
        <p class="hint">Nothing has been said to be one yet: select rows in a bound sheet and press “Same thing…”.</p>
      )}
      <ul class="inbox" data-testid="things">
        {listed.slice(0, LISTED_MAX).map(({ id, title }) => (
          <li key={id}>
            <button type="button" class={`inbox-item${disputed.has(id) ? " open" : ""}`} data-thing={id} onClick={() => openThing(id)}>
              {disputed.has(id) && <Icon name="flag" />}
              <span>
                {title}
                <span class="lines">
                  {production.bonds.value
                    .members(id)
                    .map(({ facet }) => production.facet(facet)?.label ?? facet)
                    .join(", ")}
                  {disputed.has(id) && " · people disagree"}
                </span>
              </span>
            </button>
          </li>
        ))}
      </ul>
      {ids.length > LISTED_MAX && <p class="hint">And {ids.length - LISTED_MAX} more.</p>}
    </>
  );
}
