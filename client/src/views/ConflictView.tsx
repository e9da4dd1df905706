/** One conflict: what happened, the values that disagree, and the place to choose, now or again. */
import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useRef } from "preact/hooks";
import {
  decisionsOf,
  deviceWords,
  isKept,
  nameOf,
  offersValues,
  placesOf,
  say,
  sayDecided,
  sayDefinition,
  showsFormer,
  takesBack,
  takesOwnValue,
  THING,
  unaware,
  whyReopened,
  writtenIn,
  type Candidate,
  type Conflict,
  type Decision,
} from "../domain/conflicts";
import { columnOf } from "../domain/bonds";
import { parse } from "../domain/format";
import { fullLabel, type Column } from "../domain/schema";
import { when, whenExactly } from "../domain/times";
import type { Value } from "../domain/values";
import { facetsOf, fieldsOfThing, nameOfAny, nameOfMember } from "../state/identity";
import { tell } from "../state/notices";
import type { Opened } from "../state/session";
import { Icon } from "../ui/Icon";
import { Panel } from "../ui/Panel";
import { KindAnswers } from "./KindAnswers";
import { Barred } from "./identity/Barred";
import { closePanel, openInbox, openThing } from "./panels";

interface Props {
  readonly opened: Opened;
  readonly id: string;
  readonly onGoTo: (facet: string, entity: string, field: string) => void;
}

export type Send = (answer: { choose: string } | { value: Value }, done: string) => Promise<void>;

export function ConflictView({ opened, id, onGoTo }: Props): JSX.Element {
  const problem = useSignal("");
  const busy = useSignal(false);
  const asked = useRef(false);
  useSignalEffect(() => {
    // Somebody else may decide while it is looked at.
    const { conflicts } = opened.conflicts.commits.value;
    if (asked.current && !conflicts.includes(id)) return;
    asked.current = true;
    opened.conflicts.look(id);
  });
  const conflict = opened.conflicts.byId(id);
  if (conflict === null) {
    return (
      <Panel title="Conflict" testId="conflict" onClose={closePanel} onBack={openInbox}>
        <p class="hint">{opened.conflicts.problem.value ?? "Asking the node…"}</p>
      </Panel>
    );
  }
  const { production } = opened;
  const barred = production.barred.value;
  const locked = busy.value || barred !== "";
  const facet = production.facet(conflict.facet);
  const column = facet?.columns.find((candidate) => candidate.field === conflict.field) ?? conceptColumn(opened, conflict);
  const send: Send = async (answer, done) => {
    busy.value = true;
    const { problem: said } = await opened.conflicts.answer(conflict, answer);
    busy.value = false;
    problem.value = said ?? "";
    if (said === null) tell(done);
  };
  const takeBack = async (): Promise<void> => {
    busy.value = true;
    const { problem: said, gone = false } = await opened.conflicts.reopen(conflict);
    busy.value = false;
    problem.value = said ?? "";
    if (said !== null) return;
    tell(gone ? "The decision is taken back. What people still disagree about stands here." : "The decision is taken back: it is open again.");
  };
  return (
    <Panel title="Conflict" testId="conflict" onClose={closePanel} onBack={openInbox}>
      <p class="sentence" data-testid="conflict-sentence">
        {conflict.sentence}
      </p>
      <p class="chips">
        <span class={`chip ${conflict.status}`}>{conflict.status}</span>
        {conflict.reopened && <span class="chip">{whyReopened(conflict)}</span>}
        <Where {...{ opened, conflict, onGoTo }} />
      </p>
      {problem.value !== "" && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      <Barred reason={barred} />
      {offersValues(conflict) ? (
        <Values {...{ opened, conflict, column, send }} busy={locked} />
      ) : (
        <KindAnswers {...{ opened, conflict, facet, column, send, onGoTo }} busy={locked} />
      )}
      <Decisions {...{ opened, conflict, column }} />
      {conflict.status === "resolved" && (
        <div class="buttons start">
          <button type="button" disabled={locked} onClick={() => void takeBack()} data-testid="reopen">
            <Icon name="undo" /> Take the decision back
          </button>
        </div>
      )}
    </Panel>
  );
}

/** A field of a concept, where that is what people disagree about. */
function conceptColumn({ production }: Opened, { facet, entity, field }: Conflict): Column | null {
  if (facet !== THING) return null;
  const found = fieldsOfThing(production, entity).find((one) => one.field === field);
  return found === undefined ? null : columnOf(found);
}

interface WhereProps {
  readonly opened: Opened;
  readonly conflict: Conflict;
  readonly onGoTo: Props["onGoTo"];
}

/** The ways to what it is about: its cells, and the thing whose value they show. */
function Where({ opened: { production }, conflict, onGoTo }: WhereProps): JSX.Element {
  const bonds = production.bonds.value;
  const known = new Set(production.info.facets.map(({ name }) => name));
  const places = placesOf(conflict, bonds, known).flatMap((place) =>
    place.facet === "" ? facetsOf(production, place.entity).map(({ name }) => ({ ...place, facet: name })) : [place],
  );
  const one = places.length === 1 || conflict.kind === "duplicate";
  return (
    <>
      {bonds.things.has(conflict.entity) && (
        <button type="button" class="link" onClick={() => openThing(conflict.entity)}>
          Show all of it
        </button>
      )}
      {(one ? places.slice(0, 1) : places).map(({ facet, entity, field }) => (
        <button key={`${facet}/${entity}/${field}`} type="button" class="link" onClick={() => onGoTo(facet, entity, field)}>
          {one ? "Show it in the sheet" : `Show ${nameOfMember(production, { facet, entity })}`}
        </button>
      ))}
    </>
  );
}

/** Two things may bear one name: what belongs to each tells them apart. */
function nameWithMembers({ production }: Opened, id: string, about: string): string {
  const others = production.bonds.value.members(id).filter(({ entity }) => entity !== about);
  const name = nameOfAny(production, id);
  return others.length === 0 ? name : `${name}, with ${others.map((member) => nameOfMember(production, member)).join(", ")}`;
}

/** A value in the words of its conflict: things by their names, definitions by what they say. */
function sayIn(opened: Opened, conflict: Conflict, said: { readonly value: Value; readonly title?: string }, column: Column | null): string {
  if (said.title) return said.title;
  const decided = sayDecided(conflict.kind, said.value);
  if (decided !== null) return decided;
  if (conflict.kind === "schema") return sayDefinition(said.value);
  if (conflict.kind === "cardinality" && typeof said.value === "string") return nameWithMembers(opened, said.value, conflict.entity);
  return say(said.value, column);
}

interface ValuesProps {
  readonly opened: Opened;
  readonly conflict: Conflict;
  readonly column: Column | null;
  readonly busy: boolean;
  readonly send: Send;
}

function Values({ opened, conflict, column, busy, send }: ValuesProps): JSX.Element {
  return (
    <>
      <h3>{conflict.status === "open" ? "Choose a value" : "Choose again"}</h3>
      {conflict.kind === "semantic" && conflict.status === "open" && (
        <p class="hint">It will be the same everywhere.{conflict.resolutions.length === 0 && " Until then each row shows its own."}</p>
      )}
      <ul class="candidates" data-testid="candidates">
        {conflict.candidates.map((candidate) => (
          <CandidateCard key={candidate.version} {...{ opened, candidate, conflict, column, busy, send }} />
        ))}
      </ul>
      {showsFormer(conflict) && (
        <p class="hint" data-testid="shows-former">
          Until you choose, every program shows what the decision said that was taken back.
        </p>
      )}
      {conflict.base !== null && conflict.kind !== "schema" && (
        <p class="hint">
          Before, it was <b>{sayIn(opened, conflict, conflict.base, column)}</b>.
        </p>
      )}
      {takesOwnValue(conflict) && <OwnValue column={column} busy={busy} send={send} />}
    </>
  );
}

interface CandidateProps extends ValuesProps {
  readonly candidate: Candidate;
}

function CandidateCard({ opened, candidate, conflict, column, busy, send }: CandidateProps): JSX.Element {
  const kept = isKept(candidate);
  const value = kept ? sayIn(opened, conflict, candidate, column) : "a value that wasn’t kept";
  const place = conflict.kind === "semantic" ? writtenIn(candidate) : null;
  const view = place === null ? null : opened.production.facet(place.facet);
  const verb = conflict.kind === "invalid" ? "Accept it" : "Choose";
  const shown = conflict.shown === candidate.version;
  const chosen = conflict.resolution?.chosen === candidate.version && conflict.status === "resolved";
  const missed = unaware(candidate, conflict);
  return (
    <li class={`candidate${chosen ? " chosen" : ""}`} data-version={candidate.version}>
      <div class="candidate-value">{value}</div>
      <div class="candidate-who">
        <b>{nameOf(candidate.author)}</b>
        {deviceWords(candidate.device)}
        {" · "}
        <time dateTime={candidate.at} title={whenExactly(candidate.at)}>
          {when(candidate.at, new Date())}
        </time>
        {view !== null && (
          <div>
            in {fullLabel(view)}, {view.columns.find(({ field }) => field === place?.field)?.label ?? place?.field}
          </div>
        )}
        {missed !== "" && <div>{missed}</div>}
        {shown && conflict.kind !== "semantic" && <div class="note">What every program shows now</div>}
        {chosen && (
          <div class="note">
            <Icon name="check" /> Decided
          </div>
        )}
      </div>
      <button
        type="button"
        class={conflict.status === "open" ? "primary" : ""}
        disabled={busy || chosen || !kept}
        aria-label={`${verb}: ${value}, set by ${nameOf(candidate.author)}`}
        data-testid="choose"
        onClick={() => void send({ choose: candidate.version }, `Decided: ${value}.`)}
      >
        {verb}
      </button>
    </li>
  );
}

function OwnValue({ column, busy, send }: Omit<ValuesProps, "conflict" | "opened">): JSX.Element {
  const text = useSignal("");
  const problem = useSignal("");
  const submit = (): void => {
    const parsed = column === null ? { ok: true as const, value: text.value } : parse(text.value, column);
    problem.value = parsed.ok ? "" : parsed.message;
    if (parsed.ok) void send({ value: parsed.value }, `Decided: ${say(parsed.value, column)}.`);
  };
  return (
    <form
      class="own-value"
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      <label for="own-value">Or another value{column?.unit ? ` (${column.unit})` : ""}</label>
      <div class="row">
        <input
          id="own-value"
          autocomplete="off"
          value={text.value}
          list={column !== null && column.choices.length > 0 ? "own-choices" : undefined}
          aria-invalid={problem.value !== ""}
          aria-describedby="own-problem"
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <datalist id="own-choices">
          {column?.choices.map((choice) => (
            <option key={choice}>{choice}</option>
          ))}
        </datalist>
        <button type="submit" disabled={busy || text.value.trim() === ""} data-testid="use-own">
          Use this
        </button>
        <button
          type="button"
          disabled={busy}
          data-testid="use-none"
          onClick={() => void send({ value: null }, "Decided: it stays empty.")}
        >
          Leave it empty
        </button>
      </div>
      <p id="own-problem" class="problem" role="alert">
        {problem.value}
      </p>
    </form>
  );
}

function Decisions({ opened, conflict, column }: Omit<ValuesProps, "busy" | "send">): JSX.Element | null {
  if (conflict.resolutions.length === 0) return null;
  return (
    <>
      <h3>Decisions</h3>
      <ol class="decisions" data-testid="decisions">
        {decisionsOf(conflict).map((decision) => (
          <DecisionLine
            key={decision.id}
            decision={decision}
            said={sayIn(opened, conflict, decision, column)}
            stands={conflict.resolution?.id === decision.id}
          />
        ))}
      </ol>
    </>
  );
}

interface DecisionProps {
  readonly decision: Decision;
  /** What was decided. */
  readonly said: string;
  readonly stands: boolean;
}

function DecisionLine({ decision, said, stands }: DecisionProps): JSX.Element {
  return (
    <li class={stands ? "stands" : "former"}>
      {takesBack(decision) ? "Taken back" : <b>{said}</b>} by {nameOf(decision.by)},{" "}
      <time dateTime={decision.at} title={whenExactly(decision.at)}>
        {when(decision.at, new Date())}
      </time>
      {takesBack(decision) ? "" : decision.withdrawn === true ? " · taken back" : stands ? " · stands" : " · changed later"}
    </li>
  );
}
