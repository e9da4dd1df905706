/** The history of one entity, field by field: who, when, from which device, knowing what. */
import { useSignal, useSignalEffect } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ApiError } from "../data/api";
import { deviceWords, nameOf, say } from "../domain/conflicts";
import { knowingWords, newestFirst, statusWords, type History, type HistoryField, type HistoryVersion } from "../domain/history";
import type { Column } from "../domain/schema";
import { when, whenExactly } from "../domain/times";
import type { Reach } from "../domain/together";
import type { Value } from "../domain/values";
import type { Opened } from "../state/session";
import { Panel } from "../ui/Panel";
import { Belongs } from "./identity/Belongs";
import { closePanel } from "./panels";
import { EditReach } from "./together/Reach";

interface Props {
  readonly opened: Opened;
  readonly entity: string;
  readonly title: string;
}

export function HistoryView({ opened, entity, title }: Props): JSX.Element {
  const { production, conflicts } = opened;
  const history = useSignal<History | null>(null);
  const problem = useSignal("");
  const reached = useReached(opened);

  const load = (): void => {
    production.api.history(entity).then(
      (found) => {
        if (found.entity !== entity) return;
        history.value = found;
        problem.value = "";
      },
      (error: unknown) => {
        problem.value = error instanceof ApiError ? `${error.message} ${error.hint}` : String(error);
      },
    );
  };
  const asked = useRef(false);
  useSignalEffect(() => {
    const { entities } = conflicts.commits.value;
    if (asked.current && !entities.includes(entity)) return;
    asked.current = true;
    load();
  });

  const columnOf = ({ facet, field }: HistoryField): Column | null =>
    production.info.facets.find(({ name }) => name === facet)?.columns.find((column) => column.field === field) ?? null;

  return (
    <Panel title={`History of ${title}`} testId="history" onClose={closePanel}>
      {problem.value !== "" && (
        <p class="problem" role="alert">
          {problem.value}
        </p>
      )}
      <Belongs opened={opened} entity={entity} />
      {history.value === null && problem.value === "" && <p class="hint">Asking the node…</p>}
      {history.value !== null && history.value.fields.length === 0 && <p class="hint">Nothing was ever written here.</p>}
      {newestFirst(history.value?.fields ?? []).map((field) => (
        <FieldHistory
          key={`${field.facet}/${field.field}`}
          field={field}
          opened={opened}
          reached={reached}
          say={(version) => (field.field === "" ? presence(version.value) : said(version, columnOf(field)))}
        />
      ))}
    </Panel>
  );
}

/** Looked up once, for what is older; and again whenever something has moved. */
const REACHED_MAX = 1000;
const REACHED_AGAIN = 100;

/** How far the latest edits have come, kept up to date while several devices are together. */
function useReached({ production, together }: Opened): ReadonlyMap<string, Reach> {
  const reached = useSignal<ReadonlyMap<string, Reach>>(new Map());
  const revision = together.session.value?.in_session === true ? together.session.value.revision : -1;
  useEffect(() => {
    if (revision === -1) return;
    production.api.edits(reached.value.size === 0 ? REACHED_MAX : REACHED_AGAIN).then(
      (edits) => {
        reached.value = new Map([...reached.value, ...edits.map((edit) => [edit.bundle, edit] as const)]);
      },
      // Without an answer nothing is said of it.
      () => undefined,
    );
  }, [production, revision, reached]);
  return reached.value;
}

/** A register without a field says whether the entry is there at all. */
const presence = (value: Value): string => (value === true ? "there" : "deleted");

const said = (version: HistoryVersion, column: Column | null): string =>
  version.known === false ? "a value that wasn’t kept" : say(version.value, column);

interface FieldProps {
  readonly field: HistoryField;
  readonly say: (version: HistoryVersion) => string;
  readonly opened: Opened;
  readonly reached: ReadonlyMap<string, Reach>;
}

function FieldHistory({ field, say, opened, reached }: FieldProps): JSX.Element {
  return (
    <section class="field-history">
      <h3>{field.label || field.field || "The entry itself"}</h3>
      <ol>
        {field.versions.map((version) => (
          <li key={version.version} class={`version ${version.status}`}>
            <div class="version-value">{say(version)}</div>
            <div class="version-who">
              <b>{nameOf(version.author)}</b>
              {deviceWords(version.device)} ·{" "}
              <time dateTime={version.at} title={whenExactly(version.at)}>
                {when(version.at, new Date())}
              </time>
              <EditReach opened={opened} reach={reached.get(version.bundle)} />
              <div>
                <span class="chip">{statusWords(version.status)}</span>{" "}
                {version.decision === true && "decided, "}
                {knowingWords(version, field, say)}
              </div>
              {version.message !== "" && <div class="said">“{version.message}”</div>}
            </div>
          </li>
        ))}
      </ol>
    </section>
  );
}
