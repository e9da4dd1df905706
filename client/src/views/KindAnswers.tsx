/** Conflicts that aren't about choosing one of several values: deleted and edited, duplicates, a text both changed. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { deviceWords, isKept, nameOf, say, subjectOf, toldOnce, type Candidate, type Conflict } from "../domain/conflicts";
import { parse } from "../domain/format";
import { documentOf } from "../domain/keys";
import type { Column, FacetView } from "../domain/schema";
import { gistOf } from "../domain/table";
import { when } from "../domain/times";
import { asking } from "../state/look";
import type { Opened } from "../state/session";
import { Icon } from "../ui/Icon";
import type { Send } from "./ConflictView";

interface Props {
  readonly opened: Opened;
  readonly conflict: Conflict;
  readonly facet: FacetView | null;
  readonly column: Column | null;
  readonly busy: boolean;
  readonly send: Send;
  readonly onGoTo: (facet: string, entity: string, field: string) => void;
}

interface Choice {
  readonly label: string;
  readonly answer: Parameters<Send>[0];
  readonly done: string;
}

export function KindAnswers(props: Props): JSX.Element {
  const { opened, conflict, facet, busy, send } = props;
  return (
    <>
      <ul class="candidates" data-testid="candidates">
        {toldOnce(conflict).map((candidate) =>
          conflict.kind === "duplicate" ? (
            <Duplicate key={candidate.version} candidate={candidate} {...props} />
          ) : (
            <Side key={candidate.version} candidate={candidate} {...props} />
          ),
        )}
      </ul>
      <div class="buttons start">
        {choicesFor(conflict, facet === null).map(({ label, answer, done }) => (
          <button key={label} type="button" class="primary" disabled={busy} onClick={() => void send(answer, done)}>
            {label}
          </button>
        ))}
      </div>
      {conflict.kind === "duplicate" && conflict.status === "open" && conflict.candidates.length === 2 && (
        <div class="buttons start">
          <button
            type="button"
            disabled={opened.production.barred.value !== ""}
            onClick={() => void (asking.value = { kind: "merge", facet: conflict.facet, entities: conflict.candidates.map(subjectOf) })}
          >
            <Icon name="merge" /> They are one: merge…
          </button>
        </div>
      )}
      {conflict.kind === "text-overlap" && <p class="hint">To correct the text, change it in the sheet.</p>}
    </>
  );
}

/** `relation`: it isn't about a row but about what leads from it. */
function choicesFor(conflict: Conflict, relation: boolean): readonly Choice[] {
  const [head] = conflict.heads;
  switch (conflict.kind) {
    case "edit-delete":
      return [
        { label: "Restore it", answer: { value: true }, done: "Restored." },
        relation && conflict.facet !== ""
          ? { label: "Leave it ended", answer: { value: false }, done: "It stays ended." }
          : { label: "Leave it deleted", answer: { value: false }, done: "It stays deleted." },
      ];
    case "duplicate":
      return head === undefined ? [] : [{ label: "Keep them all", answer: { choose: head }, done: "They are all kept." }];
    default:
      return [{ label: "I have read it: it is right", answer: { value: true }, done: "Accepted." }];
  }
}

type OneProps = Props & { readonly candidate: Candidate };

function Who({ candidate }: { readonly candidate: Candidate }): JSX.Element {
  return (
    <div class="candidate-who">
      <b>{nameOf(candidate.author)}</b>
      {deviceWords(candidate.device)} · {when(candidate.at, new Date())}
    </div>
  );
}

/** One side of a deletion against edits, or of a text that two people changed. */
function Side({ opened, candidate, conflict, facet, column }: OneProps): JSX.Element {
  const field = subjectOf(candidate);
  const about = facet?.columns.find((found) => found.field === field) ?? column ?? columnIn(opened, candidate);
  const deleted = conflict.kind === "edit-delete" && field === "";
  const value = candidate.title || (isKept(candidate) ? say(candidate.value, about) : "a value that wasn’t kept");
  const relation = facet === null && conflict.facet !== "";
  const text = conflict.kind === "text-overlap" ? "changed the text" : `${about?.label ?? (relation ? conflict.label : field)}: ${value}`;
  return (
    <li class="candidate">
      <div class="candidate-value">{deleted ? (relation ? "ended it" : "deleted it") : text}</div>
      <Who candidate={candidate} />
    </li>
  );
}

/** Of a side that says in which document it was written: the field, where all sheets there call it the same. */
function columnIn({ production }: Opened, candidate: Candidate): Column | null {
  const [document = ""] = candidate.version.split(":");
  const facets = production.info.facets.filter(({ name }) => documentOf(name) === document);
  const found = facets.flatMap(({ columns }) => columns.filter(({ field }) => field === subjectOf(candidate)));
  const [first] = found;
  return first !== undefined && found.every(({ label, type }) => label === first.label && type === first.type) ? first : null;
}

/** One of the entries that share what should tell them apart: look at it, or give it another. */
function Duplicate({ opened, candidate, conflict, facet, column, busy, send, onGoTo }: OneProps): JSX.Element {
  const text = useSignal("");
  const problem = useSignal("");
  const entity = subjectOf(candidate);
  const label = column?.label ?? conflict.field;
  const row = facet === null ? undefined : opened.production.rowsOf(facet).value.get(entity);
  const gist = facet === null || row === undefined ? "" : gistOf(facet, row);
  const renumber = (): void => {
    const parsed = column === null ? { ok: true as const, value: text.value } : parse(text.value, column);
    problem.value = parsed.ok ? "" : parsed.message;
    if (parsed.ok) void send({ value: { [entity]: { [conflict.field]: parsed.value } } }, `Now ${label} ${text.value}.`);
  };
  return (
    <li class="candidate">
      <div class="candidate-value">
        {say(candidate.value, column)}
        {gist !== "" && <span class="lines">{gist}</span>}
      </div>
      <Who candidate={candidate} />
      <button type="button" onClick={() => onGoTo(conflict.facet, entity, conflict.field)}>
        Show
      </button>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault();
          renumber();
        }}
      >
        <input
          aria-label={`Another ${label} for the one by ${nameOf(candidate.author)}`}
          placeholder={`Another ${label}`}
          value={text.value}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <button type="submit" disabled={busy || text.value.trim() === ""}>
          Renumber
        </button>
      </form>
      <p class="problem" role="alert">
        {problem.value}
      </p>
    </li>
  );
}
