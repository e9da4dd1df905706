/** The conflict inbox: one sentence each, what is open first. */
import type { JSX } from "preact";
import { STATUSES, type Conflict, type StatusFilter } from "../domain/conflicts";
import { panel } from "../state/look";
import type { Opened } from "../state/session";
import { Icon } from "../ui/Icon";
import { Panel } from "../ui/Panel";
import { closePanel } from "./panels";

const LABELS: Readonly<Record<StatusFilter, string>> = {
  open: "Open",
  resolved: "Resolved",
  overtaken: "Overtaken",
  all: "All",
};

const NONE: Readonly<Record<StatusFilter, string>> = {
  open: "Nobody disagrees. When two people change the same field without seeing each other, it shows here.",
  resolved: "Nothing has been decided yet.",
  overtaken: "Nothing was overtaken: here stand disagreements that ended because somebody typed again, knowing both values.",
  all: "Nobody has disagreed yet.",
};

export function Inbox({ opened }: { readonly opened: Opened }): JSX.Element {
  const { conflicts } = opened;
  const filter = conflicts.filter.value;
  const listed = conflicts.listed.value;
  const problem = conflicts.problem.value ?? (opened.production.away.value || null);
  return (
    <Panel title="Conflicts" testId="conflict-inbox" onClose={closePanel}>
      <div class="scopes" role="group" aria-label="Show">
        {STATUSES.map((status) => (
          <button
            key={status}
            type="button"
            class="scope"
            aria-pressed={filter === status}
            onClick={() => {
              conflicts.show(status);
            }}
          >
            {LABELS[status]}
            {status === "open" && conflicts.open.value.length > 0 && ` ${conflicts.open.value.length}`}
          </button>
        ))}
      </div>
      {problem !== null && (
        <p class="barred" role="status">
          {problem} {listed.length > 0 ? "What is shown here is what this browser last heard." : "Whether people disagree isn’t known here."}
        </p>
      )}
      {listed.length === 0 && problem === null && <p class="hint">{NONE[filter]}</p>}
      <ul class="inbox">
        {listed.map((conflict) => (
          <li key={conflict.id}>
            <Item conflict={conflict} />
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Item({ conflict }: { readonly conflict: Conflict }): JSX.Element {
  return (
    <button
      type="button"
      class={`inbox-item ${conflict.status}`}
      data-conflict={conflict.id}
      onClick={() => {
        panel.value = { kind: "conflict", id: conflict.id };
      }}
    >
      <Icon name={conflict.status === "open" ? "flag" : "check"} />
      <span>
        <span data-testid="conflict-sentence">{conflict.sentence}</span>
        {conflict.status === "open" && conflict.reopened && <span class="chip">Reopened</span>}
        {conflict.status !== "open" && <span class="chip">{LABELS[conflict.status]}</span>}
      </span>
    </button>
  );
}
