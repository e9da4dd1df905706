/** What a facet's fields mean: each field of the concept with a menu of the facet's fields. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import type { Binding } from "../../domain/bonds";
import { bindable, bindFault, bindOperation, startingFields } from "../../domain/identity";
import { fullLabel } from "../../domain/schema";
import { commit } from "../../state/identity";
import type { Opened } from "../../state/session";
import { Dialog } from "../../ui/Dialog";
import { closeDialog } from "../panels";
import { Confirm } from "./Confirm";

interface Props {
  readonly opened: Opened;
  readonly concept: string;
  /** "" where it is to be chosen. */
  readonly facet: string;
  readonly suggested: Binding | null;
}

export function BindDialog({ opened, concept: name, facet: given, suggested }: Props): JSX.Element {
  const { production } = opened;
  const bonds = production.bonds.value;
  const concept = bonds.concepts.get(name) ?? { name, label: name, fields: [] };
  const free = production.info.facets.filter((facet) => facet.name === given || !bonds.bindings.has(facet.name));
  const chosen = useSignal(given);
  const facet = production.facet(chosen.value);
  const starting = (of: string): Record<string, string> => {
    const view = production.facet(of);
    return view === null ? {} : startingFields(concept, view, bonds, suggested?.facet === of ? suggested : null);
  };
  const fields = useSignal<Readonly<Record<string, string>>>(starting(given));
  const problem = useSignal("");
  const save = async (): Promise<void> => {
    if (facet === null) return;
    problem.value = bindFault(fields.value, facet);
    if (problem.value !== "") return;
    const done = `${fullLabel(facet)} is bound to ${concept.label}.`;
    problem.value = await commit(production, [bindOperation(facet.name, name, fields.value)], "", done);
    if (problem.value === "") closeDialog();
  };
  return (
    <Dialog title={`Bind a sheet to ${concept.label}`} onClose={closeDialog} wide>
      <Confirm opened={opened} verb="Bind" problem={problem} unready={facet === null} onConfirm={save}>
        <p class="hint">It says what the fields mean. Nothing becomes the same thing by it.</p>
        <div class="fields">
          <label>
            Sheet
            <select
              value={chosen.value}
              disabled={given !== ""}
              data-testid="bind-which"
              onChange={(event) => {
                chosen.value = event.currentTarget.value;
                fields.value = starting(chosen.value);
                problem.value = "";
              }}
            >
              {given === "" && <option value="">Choose…</option>}
              {free.map((one) => (
                <option key={one.name} value={one.name}>
                  {fullLabel(one)}
                </option>
              ))}
            </select>
          </label>
        </div>
        {facet !== null && (
          <div class="scroll">
            <table class="form">
              <thead>
                <tr>
                  <th scope="col">{concept.label}</th>
                  <th scope="col">{facet.label}</th>
                </tr>
              </thead>
              <tbody>
                {concept.fields.map(({ field, label }) => (
                  <tr key={field}>
                    <th scope="row">{label}</th>
                    <td>
                      <select
                        aria-label={`${facet.label} field for ${label}`}
                        value={fields.value[field] ?? ""}
                        data-testid={`bind-${field}`}
                        onChange={(event) => {
                          fields.value = { ...fields.value, [field]: event.currentTarget.value };
                          problem.value = "";
                        }}
                      >
                        <option value="">not bound</option>
                        {bindable(facet).map((column) => (
                          <option key={column.field} value={column.field}>
                            {column.label}
                          </option>
                        ))}
                      </select>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Confirm>
    </Dialog>
  );
}
