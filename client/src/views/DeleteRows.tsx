/** Deleting goes through the node, because it must write down everything it clears; so it needs the node. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { ApiError } from "../data/api";
import { tell } from "../state/notices";
import type { Production } from "../state/production";
import type { Sheet } from "../state/sheet";
import { Dialog } from "../ui/Dialog";

interface Props {
  readonly production: Production;
  readonly sheet: Sheet;
  readonly entities: readonly string[];
  readonly onClose: () => void;
}

const NAMED_MAX = 5;

export function DeleteRows({ production, sheet, entities, onClose }: Props): JSX.Element {
  const problem = useSignal("");
  const names = entities.slice(0, NAMED_MAX).map((entity) => sheet.title(entity));
  const more = entities.length > NAMED_MAX ? ` and ${entities.length - NAMED_MAX} more` : "";
  const what = `${names.join(", ")}${more}`;
  const run = async (): Promise<void> => {
    try {
      await production.api.deleteEntities(entities, `delete ${what}`);
      tell(`Deleted ${what}.`);
      onClose();
    } catch (error) {
      problem.value = error instanceof ApiError ? `${error.message} ${error.hint}` : String(error);
    }
  };
  return (
    <Dialog title={entities.length === 1 ? `Delete ${what}?` : `Delete ${entities.length} rows?`} onClose={onClose}>
      <p>
        {entities.length > 1 && `${what}. `}Everybody loses sight of {entities.length === 1 ? "it" : "them"}. If somebody
        edits one meanwhile, that shows as a conflict, and it can be restored.
      </p>
      {problem.value !== "" && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      <div class="buttons">
        <button type="button" onClick={onClose}>
          Keep
        </button>
        <button type="button" class="danger" onClick={() => void run()} data-testid="confirm-delete">
          Delete
        </button>
      </div>
    </Dialog>
  );
}
