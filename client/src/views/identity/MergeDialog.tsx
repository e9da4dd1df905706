/** Two rows that turn out to be one: which stays, what each field will say, what moves. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { display } from "../../domain/format";
import { distinct, mergeOperation, sideKey, STATE_WORDS, type MergeField, type MergePreview, type Side } from "../../domain/identity";
import { isBlank, type Value } from "../../domain/values";
import { commit, facetsOf, nameOfAny } from "../../state/identity";
import type { Opened } from "../../state/session";
import { Dialog } from "../../ui/Dialog";
import { Icon } from "../../ui/Icon";
import { closeDialog } from "../panels";
import { Confirm } from "./Confirm";
import { PickRow } from "./PickRow";
import { usePreview } from "./use-preview";

interface Props {
  readonly opened: Opened;
  readonly facet: string;
  readonly entities: readonly string[];
}

const PAIR = 2;

export function MergeDialog({ opened, facet, entities }: Props): JSX.Element {
  const { production } = opened;
  const bonds = production.bonds.value;
  const ids = useSignal(distinct(entities, bonds).slice(0, PAIR));
  const kept = useSignal("");
  const sides = useSignal<Readonly<Record<string, Side>>>({});
  const problem = useSignal("");
  const survivor = ids.value.includes(kept.value) ? kept.value : (ids.value[0] ?? "");
  const absorbed = ids.value.find((id) => id !== survivor) ?? "";
  const asked = survivor === "" || absorbed === "" ? "" : `${survivor} ${absorbed}`;
  const preview = usePreview(asked, () => production.api.previewMerge(survivor, absorbed));
  const names = new Map(ids.value.map((id) => [id, nameOfAny(production, id)]));
  const save = async (): Promise<void> => {
    if (preview.answer === null) return;
    const done = `${names.get(absorbed)} now stands for ${names.get(survivor)}. Its history shows the way back.`;
    problem.value = await commit(production, [mergeOperation(preview.answer, sides.value)], "", done);
    if (problem.value === "") closeDialog();
  };
  const view = production.facet(facet);
  const facets = view === null ? facetsOf(production, survivor) : [view];
  return (
    <Dialog title="Merge two rows into one" onClose={closeDialog} wide>
      <Confirm opened={opened} verb="Merge" problem={problem} unready={preview.answer === null} onConfirm={save}>
        <fieldset class="survivor">
          <legend>Which one stays? The other stands for it from then on, and can be split off again.</legend>
          {ids.value.map((id) => (
            <div key={id} class="row">
              <label>
                <input
                  type="radio"
                  name="survivor"
                  checked={id === survivor}
                  onChange={() => {
                    kept.value = id;
                    sides.value = {};
                  }}
                />
                {names.get(id)} <span class="hint">{id === survivor ? "stays" : "merged into it"}</span>
              </label>
              <button
                type="button"
                class="plain"
                aria-label={`Leave out ${names.get(id)}`}
                onClick={() => void (ids.value = ids.value.filter((other) => other !== id))}
              >
                <Icon name="close" />
              </button>
            </div>
          ))}
        </fieldset>
        {ids.value.length < PAIR && (
          <PickRow
            opened={opened}
            label="The other row"
            facets={facets}
            without={ids.value}
            onPick={(entity) => void (ids.value = distinct([...ids.value, entity], bonds))}
          />
        )}
        {preview.problem !== "" && <p class="problem">{preview.problem}</p>}
        {preview.answer !== null && (
          <Fields
            opened={opened}
            preview={preview.answer}
            sides={sides.value}
            onSide={(key, side) => void (sides.value = { ...sides.value, [key]: side })}
          />
        )}
      </Confirm>
    </Dialog>
  );
}

interface FieldsProps {
  readonly opened: Opened;
  readonly preview: MergePreview;
  readonly sides: Readonly<Record<string, Side>>;
  readonly onSide: (key: string, side: Side) => void;
}

function Fields({ opened, preview, sides, onSide }: FieldsProps): JSX.Element {
  const label = (facet: string): string => opened.production.facet(facet)?.label ?? facet;
  return (
    <>
      {preview.fields.length + preview.texts.length > 0 && (
        <div class="scroll">
          <table class="preview" data-testid="merge-preview">
            <thead>
              <tr>
                <th scope="col">Field</th>
                <th scope="col">{preview.survivor.title} (stays)</th>
                <th scope="col">{preview.absorbed.title}</th>
                <th scope="col">What happens</th>
              </tr>
            </thead>
            <tbody>
              {preview.fields.map((one) => (
                <Line key={sideKey(one)} {...{ opened, one, preview }} side={sides[sideKey(one)] ?? "open"} onSide={onSide} />
              ))}
              {preview.texts.map((one) => (
                <Line key={sideKey(one)} {...{ opened, one, preview }} side="open" onSide={onSide} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {preview.attaches.length > 0 && <p>It also becomes: {preview.attaches.map(label).join(", ")}.</p>}
      {preview.edges.length > 0 && (
        <>
          <p class="label">These move with it</p>
          <ul class="lines" data-testid="moving">
            {preview.edges.map(({ edge, label, direction, title }) => (
              <li key={`${edge}/${title}`}>{direction === "out" ? `${label} ${title}` : `${title} ${label} it`}</li>
            ))}
          </ul>
        </>
      )}
      {preview.fields.some(({ state }) => state === "differs") && (
        <p class="hint">What is left open becomes a conflict, and people choose later; nothing is overwritten.</p>
      )}
    </>
  );
}

interface LineProps {
  readonly opened: Opened;
  readonly one: MergeField;
  readonly preview: MergePreview;
  readonly side: Side;
  readonly onSide: (key: string, side: Side) => void;
}

function Line({ opened, one, preview, side, onSide }: LineProps): JSX.Element {
  const column = opened.production.facet(one.facet)?.columns.find(({ field }) => field === one.field);
  const label = one.label || column?.label || one.field;
  const said = (value: Value): string => (isBlank(value) ? "–" : display(value, column?.type ?? "string"));
  return (
    <tr class={one.state} data-state={one.state} data-field={one.field}>
      <th scope="row">{label}</th>
      <td>{said(one.survivor)}</td>
      <td>{said(one.absorbed)}</td>
      <td>
        {one.state === "differs" ? (
          <select
            aria-label={`What ${label} will say`}
            value={side}
            onChange={(event) => onSide(sideKey(one), event.currentTarget.value as Side)}
          >
            <option value="open">left open</option>
            <option value="survivor">{said(one.survivor)}</option>
            <option value="absorbed">{said(one.absorbed)}</option>
          </select>
        ) : (
          wordsOf(one, preview)
        )}
      </td>
    </tr>
  );
}

const wordsOf = (one: MergeField, preview: MergePreview): string =>
  one.state === "fills" && isBlank(one.absorbed) ? `stays as ${preview.survivor.title} has it` : STATE_WORDS[one.state];
