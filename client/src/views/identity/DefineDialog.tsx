/** Defining a concept, or defining it anew: its name and its fields with their types. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { CONCEPT_TYPES, defineOperation, faultOf, type ConceptDraft, type FieldDraft } from "../../domain/identity";
import { commit } from "../../state/identity";
import type { Opened } from "../../state/session";
import { Dialog } from "../../ui/Dialog";
import { Icon } from "../../ui/Icon";
import { closeDialog, openConcept } from "../panels";
import { Confirm } from "./Confirm";

interface Props {
  readonly opened: Opened;
  readonly draft: ConceptDraft;
  /** A new one; otherwise one that is there is changed, under its name. */
  readonly anew: boolean;
}

const BLANK: FieldDraft = { field: "", type: "string", label: "" };

export function DefineDialog({ opened, draft: first, anew }: Props): JSX.Element {
  const draft = useSignal(first);
  const problem = useSignal("");
  const change = (part: Partial<ConceptDraft>): void => {
    draft.value = { ...draft.value, ...part };
    problem.value = "";
  };
  const setField = (at: number, part: Partial<FieldDraft>): void =>
    change({ fields: draft.value.fields.map((one, index) => (index === at ? { ...one, ...part } : one)) });
  const save = async (): Promise<void> => {
    const name = draft.value.name.trim();
    const taken = anew && opened.production.bonds.value.concepts.has(name);
    problem.value = taken ? `There is a concept ${name} already.` : faultOf(draft.value);
    if (problem.value !== "") return;
    problem.value = await commit(opened.production, [defineOperation(draft.value)], "", `${name} is defined.`);
    if (problem.value !== "") return;
    closeDialog();
    openConcept(name);
  };
  return (
    <Dialog title={anew ? "Define a concept" : `Edit ${first.name}`} onClose={closeDialog} wide>
      <Confirm opened={opened} verb={anew ? "Define" : "Save"} problem={problem} onConfirm={save}>
        <div class="fields">
          <label>
            Name
            <input
              value={draft.value.name}
              disabled={!anew}
              required
              placeholder="Person"
              autocomplete="off"
              data-testid="concept-name"
              onInput={(event) => change({ name: event.currentTarget.value })}
            />
          </label>
          <label>
            How people call it
            <input
              value={draft.value.label}
              placeholder={draft.value.name}
              autocomplete="off"
              onInput={(event) => change({ label: event.currentTarget.value })}
            />
          </label>
        </div>
        <div class="scroll">
          <table class="form" aria-label="Fields">
            <thead>
              <tr>
                <th scope="col">Field</th>
                <th scope="col">How people call it</th>
                <th scope="col">Type</th>
                <th scope="col">
                  <span class="sr-only">Remove</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {draft.value.fields.map((one, at) => (
                // oxlint-disable-next-line react/no-array-index-key -- a row of a form has no other name while it is typed
                <tr key={at} data-testid="concept-field">
                  <td>
                    <input
                      aria-label={`Field ${at + 1}`}
                      value={one.field}
                      placeholder="email"
                      autocomplete="off"
                      onInput={(event) => setField(at, { field: event.currentTarget.value })}
                    />
                  </td>
                  <td>
                    <input
                      aria-label={`How people call field ${at + 1}`}
                      value={one.label}
                      autocomplete="off"
                      onInput={(event) => setField(at, { label: event.currentTarget.value })}
                    />
                  </td>
                  <td>
                    <select
                      aria-label={`Type of field ${at + 1}`}
                      value={one.type}
                      onChange={(event) => setField(at, { type: event.currentTarget.value })}
                    >
                      {Object.entries(CONCEPT_TYPES).map(([type, words]) => (
                        <option key={type} value={type}>
                          {words}
                        </option>
                      ))}
                    </select>
                  </td>
                  <td>
                    <button
                      type="button"
                      class="plain"
                      aria-label={`Remove field ${one.field || at + 1}`}
                      onClick={() => change({ fields: draft.value.fields.filter((_one, index) => index !== at) })}
                    >
                      <Icon name="close" />
                    </button>
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
        <div class="buttons start">
          <button type="button" data-testid="add-field" onClick={() => change({ fields: [...draft.value.fields, BLANK] })}>
            <Icon name="plus" /> Add a field
          </button>
        </div>
      </Confirm>
    </Dialog>
  );
}
