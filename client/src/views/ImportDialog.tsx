/** A file of another program: what it would change is shown first, old beside new. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { display } from "../domain/format";
import { suited, type FieldChange, type Importer, type ImportPlan } from "../domain/imports";
import { isBlank, type Value } from "../domain/values";
import { problemOf } from "../state/identity";
import { tell } from "../state/notices";
import type { Opened } from "../state/session";
import { Dialog } from "../ui/Dialog";
import { Confirm } from "./identity/Confirm";
import { usePreview } from "./identity/use-preview";
import { closeDialog } from "./panels";

const SHOWN_MAX = 200;

export function ImportDialog({ opened, plugin }: { readonly opened: Opened; readonly plugin: string }): JSX.Element {
  const { api } = opened.production;
  const file = useSignal<File | null>(null);
  const importers = useSignal<readonly Importer[] | null>(null);
  const chosen = useSignal("");
  const problem = useSignal("");
  const looks = useSignal(0);
  useEffect(() => {
    api.importers(plugin).then(
      (found) => void (importers.value = found),
      (error: unknown) => void (problem.value = problemOf(error)),
    );
  }, [api, plugin, importers, problem]);
  const picked = file.value;
  // The file may be there before the node has said what it reads.
  const format = chosen.value === "" ? (suited(importers.value ?? [], picked?.name ?? "")?.name ?? "") : chosen.value;
  const key = picked === null || format === "" ? "" : `${format}/${picked.name}/${picked.size}/${picked.lastModified}/${looks.value}`;
  const preview = usePreview(key, () => api.importFile(format, picked as File));
  const plan = preview.answer;
  const save = async (): Promise<void> => {
    if (picked === null || plan === null) return;
    try {
      const { operations } = await api.importFile(format, picked, plan);
      tell(operations.length === 0 ? "Nothing had to be changed." : `${picked.name} is imported.`);
      closeDialog();
    } catch (error) {
      problem.value = problemOf(error);
      looks.value += 1; // it may do something else by now
    }
  };
  return (
    <Dialog title="Import a file" onClose={closeDialog} wide>
      <Confirm opened={opened} verb="Import" problem={problem} unready={plan === null || plan.operations.length === 0} onConfirm={save}>
        <div class="fields">
          <label>
            File
            <input
              type="file"
              data-testid="import-choose"
              onChange={(event) => {
                file.value = event.currentTarget.files?.[0] ?? null;
                chosen.value = "";
                problem.value = "";
              }}
            />
          </label>
          <label>
            Read it as
            <select value={format} onChange={(event) => void (chosen.value = event.currentTarget.value)}>
              {(importers.value ?? []).map(({ name, label }) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        </div>
        {importers.value?.length === 0 && <p>The plugin of this sheet reads no files.</p>}
        {preview.problem !== "" && <p class="problem">{preview.problem}</p>}
        {plan !== null && <Plan plan={plan} typeOf={(change) => typeOf(opened, change)} />}
      </Confirm>
    </Dialog>
  );
}

const typeOf = (opened: Opened, { facet, field }: FieldChange): string =>
  opened.production.facet(facet)?.columns.find((column) => column.field === field)?.type ?? "string";

interface PlanProps {
  readonly plan: ImportPlan;
  readonly typeOf: (change: FieldChange) => string;
}

function Plan({ plan, typeOf: type }: PlanProps): JSX.Element {
  const said = (value: Value, change: FieldChange): string => (isBlank(value) ? "–" : display(value, type(change)));
  const more = plan.changes_count - Math.min(plan.changes.length, SHOWN_MAX);
  return (
    <div data-testid="import-plan">
      <ul class="lines">
        {plan.summary.map((line) => (
          <li key={line}>{line}</li>
        ))}
        {plan.operations.length === 0 && <li>Nothing has to be changed.</li>}
      </ul>
      {plan.changes.length > 0 && (
        <div class="scroll">
          <table class="preview" data-testid="import-changes">
            <thead>
              <tr>
                <th scope="col">Row</th>
                <th scope="col">Field</th>
                <th scope="col">Now</th>
                <th scope="col">Then</th>
              </tr>
            </thead>
            <tbody>
              {plan.changes.slice(0, SHOWN_MAX).map((change) => (
                <tr key={`${change.entity}/${change.facet}/${change.field}`}>
                  <th scope="row">{change.title}</th>
                  <td>{change.label}</td>
                  <td>{said(change.before, change)}</td>
                  <td>{said(change.after, change)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {more > 0 && <p class="hint">And {more} more.</p>}
      {plan.skipped.length > 0 && (
        <details>
          <summary>Left out: {plan.skipped.length}</summary>
          <ul class="lines">
            {plan.skipped.map(({ where, why }) => (
              <li key={`${where}/${why}`}>
                {where}: {why}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}
