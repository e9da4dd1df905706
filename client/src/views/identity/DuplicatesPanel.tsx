/** Rows that may be one thing, by rules that people set. A rule proposes; only people merge. */
import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { ruleOperation, withoutSet, withSet, type Proposal, type RuleSubject } from "../../domain/identity";
import { fullLabel } from "../../domain/schema";
import { commit, problemOf } from "../../state/identity";
import { asking } from "../../state/look";
import type { Opened } from "../../state/session";
import { Icon } from "../../ui/Icon";
import { Panel } from "../../ui/Panel";
import { closePanel, openConcepts } from "../panels";
import { Barred } from "./Barred";

export function DuplicatesPanel({ opened }: { readonly opened: Opened }): JSX.Element {
  const { production, conflicts } = opened;
  const found = useSignal<readonly Proposal[] | null>(null);
  const problem = useSignal("");
  useSignalEffect(() => {
    // Whatever is committed may make two rows alike, or one of them.
    if (conflicts.commits.value === null || production.save.value.kind === "offline") return;
    production.api.proposals().then(
      (answer) => {
        found.value = answer;
        problem.value = "";
      },
      (error: unknown) => {
        problem.value = problemOf(error);
      },
    );
  });
  const barred = production.barred.value;
  const subjects = subjectsOf(opened);
  return (
    <Panel title="Possible duplicates" testId="duplicates" onClose={closePanel} onBack={openConcepts} back="Back to all concepts">
      <p class="hint">Rules say by which fields two rows may be one. They only propose; nothing is ever merged by a rule.</p>
      <Barred reason={barred} />
      {problem.value !== "" && <p class="problem">{problem.value}</p>}
      {found.value?.length === 0 && <p>The rules propose nothing.</p>}
      <ul class="inbox" data-testid="proposals">
        {found.value?.map((one) => (
          <Proposed key={`${one.about} ${one.by.join()} ${one.values.join()}`} {...{ one, subjects, barred }} />
        ))}
      </ul>
      <Rules {...{ opened, subjects, barred }} />
    </Panel>
  );
}

interface ProposedProps {
  readonly one: Proposal;
  readonly subjects: readonly RuleSubject[];
  readonly barred: string;
}

function Proposed({ one, subjects, barred }: ProposedProps): JSX.Element {
  const [first, ...others] = one.entities;
  if (first === undefined) return <></>;
  const same = one.by.map((field, at) => `${labelOf(subjects, one.about, field)} ${one.values[at] ?? ""}`).join(" and ");
  return (
    <li class="candidate">
      <div class="candidate-value">{one.entities.map(({ title }) => title).join(", ")}</div>
      <div class="candidate-who">the same {same}</div>
      <div class="row wrap">
        {one.kind === "assert" ? (
          <button
            type="button"
            disabled={barred !== ""}
            onClick={() => void (asking.value = { kind: "same", concept: one.about, entities: one.entities.map(({ id }) => id) })}
          >
            <Icon name="link" /> Same thing…
          </button>
        ) : (
          others.map(({ id, title }) => (
            <button
              key={id}
              type="button"
              disabled={barred !== ""}
              onClick={() => void (asking.value = { kind: "merge", facet: one.about, entities: [first.id, id] })}
            >
              <Icon name="merge" /> {others.length === 1 ? "Merge…" : `Merge ${title}…`}
            </button>
          ))
        )}
      </div>
    </li>
  );
}

interface RulesProps {
  readonly opened: Opened;
  readonly subjects: readonly RuleSubject[];
  readonly barred: string;
}

function Rules({ opened, subjects, barred }: RulesProps): JSX.Element {
  const { production } = opened;
  const { rules } = production.bonds.value;
  const about = useSignal("");
  const chosen = useSignal<readonly string[]>([]);
  const problem = useSignal("");
  const subject = subjects.find((one) => one.about === about.value);
  const add = async (): Promise<void> => {
    if (subject === undefined || chosen.value.length === 0) return;
    const fields = withSet(rules.get(subject.about), chosen.value);
    problem.value = await commit(production, [ruleOperation(subject.about, fields)], "", "The rule is set.");
    if (problem.value === "") chosen.value = [];
  };
  return (
    <>
      <h3>Rules</h3>
      {rules.size === 0 && <p class="hint">No rule is set.</p>}
      <ul class="inbox" data-testid="rules">
        {[...rules].flatMap(([name, rule]) =>
          rule.map((set) => {
            const said = `${subjects.find((one) => one.about === name)?.label ?? name}: the same ${set.map((field) => labelOf(subjects, name, field)).join(" and ")}`;
            return (
              <li key={`${name}/${set.join("/")}`} class="picked-line">
                {said}
                <button
                  type="button"
                  class="plain"
                  disabled={barred !== ""}
                  aria-label={`End the rule ${said}`}
                  title="End this rule"
                  onClick={async () => {
                    const left = ruleOperation(name, withoutSet(rule, set));
                    problem.value = await commit(production, [left], "", "The rule has ended.");
                  }}
                >
                  <Icon name="close" />
                </button>
              </li>
            );
          }),
        )}
      </ul>
      <form
        class="own-value"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <label for="rule-about">A new rule for</label>
        <select
          id="rule-about"
          value={about.value}
          data-testid="rule-about"
          onChange={(event) => {
            about.value = event.currentTarget.value;
            chosen.value = [];
          }}
        >
          <option value="">Choose…</option>
          {subjects.map((one) => (
            <option key={one.about} value={one.about}>
              {one.label}
            </option>
          ))}
        </select>
        {subject !== undefined && (
          <fieldset class="checks">
            <legend>may be one when all of these are the same</legend>
            {subject.fields.map(({ field, label }) => (
              <label key={field}>
                <input
                  type="checkbox"
                  checked={chosen.value.includes(field)}
                  onChange={({ currentTarget }) => {
                    const others = chosen.value.filter((other) => other !== field);
                    chosen.value = currentTarget.checked ? [...others, field] : others;
                  }}
                />
                {label}
              </label>
            ))}
          </fieldset>
        )}
        <p class="problem" role="alert">
          {problem.value}
        </p>
        <button type="submit" disabled={barred !== "" || chosen.value.length === 0} data-testid="set-rule">
          Set the rule
        </button>
      </form>
    </>
  );
}

const labelOf = (subjects: readonly RuleSubject[], about: string, field: string): string =>
  subjects.find((one) => one.about === about)?.fields.find((one) => one.field === field)?.label ?? field;

/** Concepts first: their rules find the same thing in two sheets. */
function subjectsOf({ production }: Opened): RuleSubject[] {
  const bonds = production.bonds.value;
  const concepts = [...bonds.concepts.values()].map(({ name, label, fields }) => ({ about: name, label, fields }));
  const facets = production.info.facets.map((facet) => ({
    about: facet.name,
    label: fullLabel(facet),
    fields: facet.columns.filter(({ type }) => type !== "text" && type !== "richtext"),
  }));
  return [...concepts, ...facets];
}
