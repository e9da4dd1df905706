/** Several devices, no server: who is here and who leads, what waits for a word, how to come together and to part. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import type { Api } from "../../data/api";
import { waitingCount } from "../../domain/together";
import { when, whenExactly } from "../../domain/times";
import type { Opened } from "../../state/session";
import { Panel } from "../../ui/Panel";
import { Barred } from "../identity/Barred";
import { closePanel } from "../panels";
import { Alone, HeldForReview } from "./Edits";
import { ComeTogether, LetIn, Part } from "./Gathering";
import { Here } from "./Here";
import { MembersList } from "./MembersList";
import { Waiting } from "./Waiting";

/** What the parts of the panel are given: the production, and the way to do something with what went wrong shown. */
export interface PartProps {
  readonly opened: Opened;
  readonly busy: boolean;
  readonly act: (what: (api: Api) => Promise<unknown>, done?: string) => Promise<boolean>;
}

export function TogetherPanel({ opened }: { readonly opened: Opened }): JSX.Element {
  const { together, production } = opened;
  const problem = useSignal("");
  const busy = useSignal(false);
  const online = production.save.value.kind !== "offline";
  useEffect(() => {
    together.watch(true);
    return () => {
      together.watch(false);
    };
  }, [together, online]);
  const act: PartProps["act"] = async (what, done) => {
    busy.value = true;
    problem.value = await together.run(what, done);
    busy.value = false;
    return problem.value === "";
  };

  const session = together.session.value;
  const owner = production.info.you.role === "owner";
  const parts: PartProps = { opened, busy: busy.value, act };
  return (
    <Panel title="Together" testId="together" onClose={closePanel}>
      <Barred reason={session === null ? together.denied.value : together.barred.value} />
      <p class="problem" role="alert" data-testid="together-problem">
        {problem.value}
      </p>
      {session === null && together.denied.value === "" && (
        <p class="hint">{online ? "Asking the node…" : "Who is here shows once the node answers."}</p>
      )}
      {session !== null && !online && <p class="hint">What stands here is what this browser last heard.</p>}
      {session !== null && together.members.value?.removed.includes(session.me.device) === true && (
        <p class="barred" data-testid="removed">
          <b>This device was removed from the production.</b> It keeps its copy, and the others no longer take what it
          changes. An owner can let it in again with a new link.
        </p>
      )}
      {session !== null && session.clock !== undefined && session.clock.sentence !== "" && <p class="barred">{session.clock.sentence}</p>}
      {session !== null && waitingCount(session) > 0 && <Waiting {...parts} session={session} />}
      {session !== null && !session.in_session && <ComeTogether {...parts} session={session} />}
      {session !== null && session.in_session && <Here {...parts} session={session} />}
      {session !== null && session.in_session && owner && <LetIn {...parts} />}
      {session !== null && session.in_session && owner && <Part {...parts} session={session} />}
      {session !== null && <Alone opened={opened} session={session} />}
      <HeldForReview {...parts} />
      <MembersList {...parts} />
      {session !== null && session.events.length > 0 && <Happened events={session.events} />}
    </Panel>
  );
}

const SHOWN_MAX = 12;

/** Newest first, read out as it comes. */
function Happened({ events }: { readonly events: readonly { readonly at: string; readonly sentence: string }[] }): JSX.Element {
  return (
    <section aria-labelledby="happened">
      <h3 id="happened">What happened</h3>
      <div role="log" data-testid="happened">
        <ol class="happened">
          {events
            .slice(-SHOWN_MAX)
            .reverse()
            .map(({ at, sentence }) => (
              <li key={`${at} ${sentence}`}>
                <time dateTime={at} title={whenExactly(at)}>
                  {when(at, new Date())}
                </time>{" "}
                {sentence}
              </li>
            ))}
        </ol>
      </div>
    </section>
  );
}
