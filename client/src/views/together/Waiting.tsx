/** What waits for a person's word: who was found by a spoken code, newcomers, and plans of what would come and go. */
import type { JSX } from "preact";
import { counted, planWords, type Newcomer, type Plan, type SessionStatus } from "../../domain/together";
import type { PartProps } from "./TogetherPanel";

export function Waiting({ opened, busy, act, session }: PartProps & { readonly session: SessionStatus }): JSX.Element {
  const locked = busy || opened.together.barred.value !== "";
  return (
    <section class="waiting" aria-labelledby="waiting" data-testid="waiting">
      <h3 id="waiting">Waits for your word</h3>
      <ul class="inbox">
        {(session.hosts ?? []).map((one) => (
          <li key={one.device} class="waits" data-device={one.device} data-testid="host-seen">
            <p>
              <b>“{one.title}”</b>, hosted by <b>{one.name}</b> on <b>{one.device_name}</b>. Is that the one?
            </p>
            <Answer {...{ locked, act }} id={one.device} yes="Yes, ask to come in" no="No" about={nameOf(one)} said={`${one.name} is asked now.`} />
          </li>
        ))}
        {session.newcomers.map((one) => (
          <li key={one.device} class="waits" data-device={one.device} data-testid="newcomer">
            <p>
              <b>{one.name}</b> on <b>{one.device_name}</b> knows the code and wants to join. Is that who you told it to?
            </p>
            <Answer
              {...{ locked, act }}
              id={one.device}
              yes="Let in"
              no="Turn away"
              about={nameOf(one)}
              said={`${nameOf(one)} may come in.`}
            />
          </li>
        ))}
        {session.plans.map((plan) => (
          <li key={plan.id} class="waits" data-testid="plan">
            {isNewcomer(plan) && (
              <p>
                <b>{plan.name}</b> ({plan.device_name ? `${plan.device_name}, ` : ""}device {plan.device.slice(0, 6)}) came with a link that you made, to be {plan.newcomer} here. Is that who you gave it to?
              </p>
            )}
            <p>
              {!isNewcomer(plan) && (
                <>
                  <b>{plan.name}</b>
                  {plan.device_name ? ` (${plan.device_name})` : ""} is there.{" "}
                </>
              )}
              {planWords(plan)}
            </p>
            <p class="lines">
              {choosingWords(plan)} Nothing moves before both sides say yes.
            </p>
            <Answer
              {...{ locked, act }}
              id={plan.id}
              yes={isNewcomer(plan) ? "Let in" : "Approve"}
              no={isNewcomer(plan) ? "Turn away" : "Decline"}
              about={withWhom(plan)}
              said="You said yes. It happens once the other side has, too."
            />
          </li>
        ))}
      </ul>
    </section>
  );
}

const nameOf = ({ name, device_name }: Newcomer): string => `${name} (${device_name})`;
const isNewcomer = ({ newcomer = "" }: Plan): boolean => newcomer !== "";
const withWhom = (plan: Plan): string => (isNewcomer(plan) ? plan.name : `what would come from ${plan.name}`);

function choosingWords(plan: Plan): string {
  if (plan.conflicts > 0) return `Where you both changed the same, both values stay and you choose: ${counted(plan.conflicts, "conflict")} in Conflicts.`;
  if (isNewcomer(plan) && plan.bundles === 0) return plan.sends === 0 ? "It has everything already, and gets each edit from then on." : "It gets a copy of everything, and each edit from then on.";
  if (plan.bundles === 0 || plan.sends === 0) return "Only one of you changed anything, so there is nothing to choose.";
  return "You changed no field differently. Texts that you both wrote in are compared once both are here.";
}

interface AnswerProps extends Pick<PartProps, "act"> {
  readonly id: string;
  readonly locked: boolean;
  readonly yes: string;
  readonly no: string;
  readonly about: string;
  readonly said: string;
}

function Answer({ id, locked, act, yes, no, about, said }: AnswerProps): JSX.Element {
  return (
    <div class="buttons start">
      <button
        type="button"
        class="primary"
        disabled={locked}
        aria-label={`${yes}: ${about}`}
        data-testid="approve"
        onClick={() => void act((api) => api.answerPlan("approve", id), said)}
      >
        {yes}
      </button>
      <button
        type="button"
        disabled={locked}
        aria-label={`${no}: ${about}`}
        data-testid="decline"
        onClick={() => void act((api) => api.answerPlan("decline", id), "You said no: nothing has moved.")}
      >
        {no}
      </button>
    </div>
  );
}
