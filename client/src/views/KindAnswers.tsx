/** Conflicts that aren't about choosing one of several values: deleted and edited, duplicates, a text both changed. */
import type { JSX } from "preact";
import { nameOf, say, type Candidate, type Conflict } from "../domain/conflicts";
import type { Column } from "../domain/schema";
import { when } from "../domain/times";
import type { Value } from "../domain/values";
import type { Send } from "./ConflictView";

interface Props {
  readonly conflict: Conflict;
  readonly column: Column | null;
  readonly busy: boolean;
  readonly send: Send;
}

interface Choice {
  readonly label: string;
  readonly value: Value;
  readonly done: string;
}

const CHOICES: Readonly<Record<string, readonly Choice[]>> = {
  "edit-delete": [
    { label: "Restore it", value: true, done: "Restored." },
    { label: "Leave it deleted", value: false, done: "It stays deleted." },
  ],
  duplicate: [{ label: "Keep them all", value: true, done: "They are all kept." }],
  "text-overlap": [{ label: "I have read it: it is right", value: true, done: "Accepted." }],
};

const HINTS: Readonly<Record<string, string>> = {
  duplicate: "To renumber one, change it in the sheet: the conflict closes by itself.",
  "text-overlap": "To correct the text, change it in the sheet.",
};

export function KindAnswers({ conflict, column, busy, send }: Props): JSX.Element {
  return (
    <>
      <ul class="candidates">
        {conflict.candidates.map((candidate) => (
          <Edit key={candidate.version} candidate={candidate} column={column} />
        ))}
      </ul>
      <div class="buttons start">
        {(CHOICES[conflict.kind] ?? []).map(({ label, value, done }) => (
          <button key={label} type="button" class="primary" disabled={busy} onClick={() => void send({ value }, done)}>
            {label}
          </button>
        ))}
      </div>
      {HINTS[conflict.kind] !== undefined && <p class="hint">{HINTS[conflict.kind]}</p>}
    </>
  );
}

function Edit({ candidate, column }: { readonly candidate: Candidate; readonly column: Column | null }): JSX.Element {
  return (
    <li class="candidate">
      <div class="candidate-value">{say(candidate.value, column)}</div>
      <div class="candidate-who">
        <b>{nameOf(candidate.author)}</b>
        {candidate.device !== "" && ` · ${candidate.device}`} · {when(candidate.at, new Date())}
      </div>
    </li>
  );
}
