/** What a row is related to: where it leads, what leads to it; drawn and taken away here. */
import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import type { Relation } from "../data/api";
import { display } from "../domain/format";
import { edgesAt, fullLabel, type EdgeView, type FacetView } from "../domain/schema";
import { commit, facetsOf, problemOf } from "../state/identity";
import { asking } from "../state/look";
import type { Opened } from "../state/session";
import { Icon } from "../ui/Icon";
import { Panel } from "../ui/Panel";
import { Barred } from "./identity/Barred";
import { PickRow } from "./identity/PickRow";
import { closePanel } from "./panels";

interface Props {
  readonly opened: Opened;
  readonly entity: string;
  readonly title: string;
  readonly onGoTo: (facet: string, entity: string, field: string) => void;
}

export function RelationsPanel({ opened, entity, title, onGoTo }: Props): JSX.Element {
  const { production, conflicts } = opened;
  const relations = useSignal<readonly Relation[] | null>(null);
  const problem = useSignal("");
  const barred = production.barred.value;
  useSignalEffect(() => {
    // Whatever is committed: the other end's name may be another as well.
    void conflicts.commits.value;
    production.api.edges(entity).then(
      (found) => {
        relations.value = found;
        problem.value = "";
      },
      (error: unknown) => void (problem.value = problemOf(error)),
    );
  });
  const draw = async (edge: EdgeView, target: string): Promise<void> => {
    const before = edge.one ? listed.find((one) => one.edge === edge.name && one.direction === "out") : undefined;
    const done = before === undefined ? "Related." : `Moved: before, it was ${before.title}.`;
    problem.value = await commit(production, [{ op: "add_edge", edge: edge.name, source: entity, target }], "", done);
  };
  const listed = relations.value ?? [];
  const declared = edgesAt(production.info.edges, "source", facetsOf(production, entity).map(({ name }) => name));
  return (
    <Panel title={`Relations of ${title}`} testId="relations" onClose={closePanel}>
      <Barred reason={barred} />
      {problem.value !== "" && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      {relations.value === null && problem.value === "" && <p class="hint">Asking the node…</p>}
      {relations.value !== null && listed.length === 0 && <p class="hint">{title} isn’t related to anything yet.</p>}
      <ul class="devices" data-testid="relation-list">
        {listed.map((relation) => (
          <Line
            key={`${relation.edge}/${relation.id}`}
            {...{ opened, relation, title, onGoTo }}
            barred={barred !== ""}
            onRemove={(said) => {
              asking.value = {
                kind: "sure",
                sure: {
                  title: "Take the relation away?",
                  text: `“${said}” no longer holds. Both rows stay as they are.`,
                  verb: "Take away",
                  operations: [{ op: "remove_edge", edge: relation.edge, id: relation.id }],
                  done: "The relation is taken away.",
                },
              };
            }}
          />
        ))}
      </ul>
      {declared.map((edge) => (
        <PickRow
          key={edge.name}
          opened={opened}
          label={`${capital(edge.label)}…`}
          facets={targets(opened, edge)}
          without={[entity, ...listed.filter((one) => one.edge === edge.name && one.direction === "out").map(({ to }) => to ?? "")]}
          onPick={(target) => void draw(edge, target)}
        />
      ))}
      {declared.some(({ one }) => one) && <p class="lines">Where there is place for one, another choice moves it there.</p>}
    </Panel>
  );
}

/** Where it may lead to anything, to another sheet rather than to its own. */
function targets({ production }: Opened, { source, target }: EdgeView): readonly FacetView[] {
  const facets = production.info.facets.filter(({ name }) => target === "*" || target === name);
  return [...facets.filter(({ name }) => name !== source), ...facets.filter(({ name }) => name === source)];
}

const capital = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

interface LineProps extends Pick<Props, "opened" | "title" | "onGoTo"> {
  readonly relation: Relation;
  readonly barred: boolean;
  readonly onRemove: (said: string) => void;
}

function Line({ opened, relation, title, onGoTo, barred, onRemove }: LineProps): JSX.Element {
  const { production } = opened;
  const out = relation.direction === "out";
  const other = (out ? relation.to : relation.from) ?? "";
  const [facet] = facetsOf(production, other);
  const edge = production.info.edges.find(({ name }) => name === relation.edge);
  const properties = (edge?.properties ?? [])
    .map(({ field, label, type }) => ({ label, value: display(relation.properties[field], type) }))
    .filter(({ value }) => value !== "");
  const name = relation.title || "nothing";
  const said = out ? `${title} ${relation.label} ${name}` : `${name} ${relation.label} ${title}`;
  return (
    <li data-edge={relation.edge} data-other={other}>
      <span class="device-name">
        <span class="lines-inline">{out ? relation.label : `${relation.label} it:`}</span> <b>{name}</b>
        {facet !== undefined && <span class="lines">{fullLabel(facet)}</span>}
        {properties.map(({ label, value }) => (
          <span key={label} class="lines">
            {label}: {value}
          </span>
        ))}
      </span>
      <span class="row">
        {facet !== undefined && (
          <button type="button" aria-label={`Show ${name} in the sheet`} onClick={() => onGoTo(facet.name, other, "")}>
            Show
          </button>
        )}
        <button type="button" class="plain" disabled={barred} aria-label={`Take away: ${said}`} title="Take away" data-testid="remove-edge" onClick={() => onRemove(said)}>
          <Icon name="trash" />
        </button>
      </span>
    </li>
  );
}
