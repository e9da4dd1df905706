/** What the sheets mean: the concepts there are, those that plugins suggest, and the way to possible duplicates. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { suggestedConcepts, type Suggestions } from "../../domain/identity";
import { asking } from "../../state/look";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";
import { Panel } from "../../ui/Panel";
import { closePanel, openConcept, openDuplicates } from "../panels";
import { Barred } from "./Barred";

const EMPTY = { name: "", label: "", fields: [{ field: "name", type: "string", label: "" }] };

/** What the adopted plugins suggest; null until the node has said so. */
export function useSuggestions({ production }: Opened): Suggestions | null {
  const found = useSignal<Suggestions | null>(null);
  const online = production.save.value.kind !== "offline";
  useEffect(() => {
    if (!online) return;
    // Without an answer nothing is suggested; what isn't reachable is said elsewhere.
    production.api.suggestions().then((answer) => void (found.value = answer), () => undefined);
  }, [production, online, found]);
  return found.value;
}

export function ConceptsPanel({ opened }: { readonly opened: Opened }): JSX.Element {
  const { production } = opened;
  const bonds = production.bonds.value;
  const barred = production.barred.value;
  const suggestions = useSuggestions(opened);
  const suggested = suggestions === null ? [] : suggestedConcepts(suggestions, bonds);
  return (
    <Panel title="Concepts" testId="concepts" onClose={closePanel}>
      <p class="hint">
        A concept is what several sheets mean: one person has a row here and a row there. Bind the sheets to it, then say
        which rows are the same thing: from then on they show the same.
      </p>
      <Barred reason={barred} />
      {bonds.concepts.size === 0 && <p>No concepts have been defined.</p>}
      <ul class="inbox">
        {[...bonds.concepts.values()].map((concept) => {
          const count = bonds.thingsOf(concept.name).length;
          const bound = bonds.bindingsOf(concept.name).map(({ facet }) => production.facet(facet)?.label ?? facet);
          const fields = concept.fields.map(({ label }) => label).join(", ");
          const state = bound.length === 0 ? "No sheet is bound to it." : `Bound: ${bound.join(", ")}. ${things(count)}.`;
          return (
            <li key={concept.name}>
              <button
                type="button"
                class="inbox-item"
                data-concept={concept.name}
                aria-label={`${concept.label}: ${fields}. ${state}`}
                onClick={() => openConcept(concept.name)}
              >
                <span>
                  <b>{concept.label}</b>
                  <span class="lines">{fields}</span>
                  <span class="lines">{state}</span>
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      <div class="buttons start">
        <button
          type="button"
          class="primary"
          disabled={barred !== ""}
          data-testid="define-concept"
          onClick={() => void (asking.value = { kind: "define", draft: EMPTY, anew: true })}
        >
          <Icon name="plus" /> Define a concept…
        </button>
        <button type="button" data-testid="open-duplicates" onClick={openDuplicates}>
          Possible duplicates…
        </button>
      </div>
      {suggested.length > 0 && <h3>Suggested by the plugins</h3>}
      <ul class="inbox">
        {suggested.map((draft) => (
          <li key={draft.name} class="candidate">
            <div class="candidate-value">{draft.name}</div>
            <div class="candidate-who">{draft.fields.map(({ label }) => label).join(", ")}</div>
            <button
              type="button"
              disabled={barred !== ""}
              data-testid="suggested-concept"
              aria-label={`Look at the suggested concept ${draft.name}`}
              onClick={() => void (asking.value = { kind: "define", draft, anew: true })}
            >
              Look at it…
            </button>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

export const things = (count: number): string => (count === 1 ? "1 thing" : `${count} things`);
