/** Saying that rows are one real thing: what that does to each field, then the word. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { columnOf, type Concept } from "../../domain/bonds";
import { display } from "../../domain/format";
import { distinct, sameOperation, sameWords, type SameField } from "../../domain/identity";
import type { FacetView } from "../../domain/schema";
import { commit, facetsOf, nameOfAny } from "../../state/identity";
import type { Opened } from "../../state/session";
import { Dialog } from "../../ui/Dialog";
import { Icon } from "../../ui/Icon";
import { closeDialog, openConcepts } from "../panels";
import { Confirm } from "./Confirm";
import { PickRow } from "./PickRow";
import { usePreview } from "./use-preview";

interface Props {
  readonly opened: Opened;
  /** "" for the first that the rows' facets are bound to. */
  readonly concept: string;
  readonly entities: readonly string[];
}

export function SameDialog({ opened, concept: given, entities }: Props): JSX.Element {
  const { production } = opened;
  const bonds = production.bonds.value;
  const ids = useSignal(distinct(entities, bonds));
  const possible = conceptsOf(opened, ids.value);
  const wanted = useSignal(given);
  const concept = bonds.concepts.get(wanted.value) ?? possible[0] ?? null;
  const problem = useSignal("");
  const asked = concept === null || ids.value.length === 0 ? "" : `${concept.name} ${ids.value.join(" ")}`;
  const preview = usePreview(asked, () => production.api.previewSame(concept?.name ?? "", ids.value));
  if (concept === null) return <Unbound opened={opened} ids={ids.value} />;
  const facets = bonds.bindingsOf(concept.name).flatMap(({ facet }) => production.facet(facet) ?? []);
  const save = async (): Promise<void> => {
    const count = ids.value.length;
    const done = count === 1 ? `It is a ${concept.label} of its own now.` : `${count} rows: one ${concept.label}.`;
    problem.value = await commit(production, [sameOperation(concept.name, ids.value, bonds)], "", done);
    if (problem.value === "") closeDialog();
  };
  return (
    <Dialog title="The same thing" onClose={closeDialog} wide>
      <Confirm
        opened={opened}
        verb={ids.value.length === 1 ? `It is a ${concept.label}` : `They are one ${concept.label}`}
        problem={problem}
        unready={preview.answer === null}
        onConfirm={save}
      >
        {possible.length > 1 && (
          <div class="fields">
            <label>
              What they are
              <select value={concept.name} onChange={(event) => void (wanted.value = event.currentTarget.value)}>
                {possible.map(({ name, label }) => (
                  <option key={name} value={name}>
                    {label}
                  </option>
                ))}
              </select>
            </label>
          </div>
        )}
        <ul class="picked" aria-label="Rows" data-testid="picked">
          {ids.value.map((id) => (
            <li key={id}>
              {nameOfAny(production, id)}
              <button
                type="button"
                class="plain"
                aria-label={`Leave out ${nameOfAny(production, id)}`}
                onClick={() => void (ids.value = ids.value.filter((other) => other !== id))}
              >
                <Icon name="close" />
              </button>
            </li>
          ))}
        </ul>
        <PickRow
          opened={opened}
          label="Add another row, from any bound sheet"
          facets={facets}
          without={ids.value}
          onPick={(entity) => void (ids.value = distinct([...ids.value, entity], bonds))}
        />
        {preview.problem !== "" && <p class="problem">{preview.problem}</p>}
        {preview.answer !== null && <Fields concept={concept} fields={preview.answer} />}
      </Confirm>
    </Dialog>
  );
}

/** The concepts that a facet of every row is bound to, or of any where there is none for all. */
function conceptsOf({ production }: Opened, ids: readonly string[]): Concept[] {
  const bonds = production.bonds.value;
  const names = ids.map((id) => facetsOf(production, id).flatMap(({ name }) => bonds.bindings.get(name)?.concept ?? []));
  const all = [...bonds.concepts.values()];
  const common = all.filter(({ name }) => names.every((own) => own.includes(name)));
  return common.length > 0 ? common : all.filter(({ name }) => names.some((own) => own.includes(name)));
}

function Unbound({ opened, ids }: { readonly opened: Opened; readonly ids: readonly string[] }): JSX.Element {
  const facets: FacetView[] = ids.flatMap((id) => facetsOf(opened.production, id));
  const label = facets[0]?.label ?? "";
  return (
    <Dialog title="The same thing" onClose={closeDialog}>
      <p>
        Nobody has said yet what the fields of {label === "" ? "this sheet" : `“${label}”`} mean. Define a concept, bind this
        sheet and the other one to it, then say here which rows are the same.
      </p>
      <div class="buttons">
        <button type="button" onClick={closeDialog}>
          Cancel
        </button>
        <button
          type="button"
          class="primary"
          onClick={() => {
            closeDialog();
            openConcepts();
          }}
        >
          Open Concepts
        </button>
      </div>
    </Dialog>
  );
}

function Fields({ concept, fields }: { readonly concept: Concept; readonly fields: readonly SameField[] }): JSX.Element {
  const members = [...new Map(fields.flatMap(({ values }) => values).map((one) => [`${one.facet}/${one.entity}`, one])).values()];
  const disagree = fields.filter(({ state }) => state === "differs").length;
  return (
    <>
      <div class="scroll">
        <table class="preview" data-testid="same-preview">
          <thead>
            <tr>
              <th scope="col">Field</th>
              {members.map(({ facet, entity, title }) => (
                <th key={`${facet}/${entity}`} scope="col">
                  {title}
                </th>
              ))}
              <th scope="col">What happens</th>
            </tr>
          </thead>
          <tbody>
            {concept.fields.map((field) => {
              const found = fields.find((one) => one.field === field.field);
              if (found === undefined) return null;
              return (
                <tr key={field.field} class={found.state} data-state={found.state}>
                  <th scope="row">{field.label}</th>
                  {members.map(({ facet, entity }) => {
                    const one = found.values.find((value) => value.facet === facet && value.entity === entity);
                    return (
                      <td key={`${facet}/${entity}`} class={one === undefined ? "hint" : ""}>
                        {one === undefined ? "not bound" : display(one.value, columnOf(field).type) || "–"}
                      </td>
                    );
                  })}
                  <td>{sameWords(found)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="hint">
        {disagree === 0
          ? "From then on they show the same, and changing one changes all."
          : "Where they differ nothing is overwritten: it becomes a conflict, and people choose."}
      </p>
    </>
  );
}
