/** Find one more row, in any of some sheets, and add it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { fullLabel, type FacetView } from "../../domain/schema";
import { findRows } from "../../state/identity";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";

interface Props {
  readonly opened: Opened;
  readonly label: string;
  readonly facets: readonly FacetView[];
  readonly without: readonly string[];
  readonly onPick: (entity: string) => void;
}

export function PickRow({ opened, label, facets, without, onPick }: Props): JSX.Element {
  const { production } = opened;
  const text = useSignal("");
  const found = findRows(production, facets, text.value, without);
  const pick = (entity: string): void => {
    text.value = "";
    onPick(entity);
  };
  return (
    <div class="pick">
      <label>
        {label}
        <input
          type="search"
          autocomplete="off"
          placeholder="Type a part of its name"
          value={text.value}
          data-testid="pick"
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
          onKeyDown={(event) => {
            if (event.key !== "Enter") return;
            event.preventDefault();
            if (found[0] !== undefined) pick(found[0].entity);
          }}
        />
      </label>
      <p class="sr-only" role="status">
        {text.value === "" ? "" : `${found.length} found`}
      </p>
      {text.value.trim() !== "" && (
        <ul class="found">
          {found.map(({ facet, entity, title }) => {
            const view = production.facet(facet);
            return (
              <li key={`${facet}/${entity}`}>
                <button type="button" onClick={() => pick(entity)} data-entity={entity}>
                  <Icon name="plus" /> {title} <span class="hint">{view === null ? facet : fullLabel(view)}</span>
                </button>
              </li>
            );
          })}
          {found.length === 0 && <li class="hint">Nothing like that.</li>}
        </ul>
      )}
    </div>
  );
}
