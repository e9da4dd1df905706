/** Edits that somebody has to know about: those that are nowhere else yet, and those that are held for review. */
import type { JSX } from "preact";
import { counted, type SessionStatus } from "../../domain/together";
import { when, whenExactly } from "../../domain/times";
import type { Opened } from "../../state/session";
import type { PartProps } from "./TogetherPanel";

interface AloneProps {
  readonly opened: Opened;
  readonly session: SessionStatus;
}

/** What would be lost with this laptop. */
export function Alone({ opened, session }: AloneProps): JSX.Element {
  const listed = opened.together.alone.value;
  const count = session.alone ?? 0;
  if (count === 0) return <></>;
  return (
    <section aria-labelledby="alone" data-testid="alone">
      <h3 id="alone">On no other device yet</h3>
      <p>
        {counted(count, "edit")} of this device {count === 1 ? "is" : "are"} only here, as far as is known.
      </p>
      <ul class="edits">
        {listed.map(({ bundle, author, at, message }) => (
          <li key={bundle}>
            <b>{author || "Somebody"}</b> {at !== undefined && <time dateTime={at} title={whenExactly(at)}>{when(at, new Date())}</time>}
            {message !== undefined && message !== "" && <span class="said"> “{message}”</span>}
          </li>
        ))}
        {count > listed.length && listed.length > 0 && <li class="hint">and {(count - listed.length).toLocaleString("en")} before</li>}
      </ul>
    </section>
  );
}

export function HeldForReview({ opened, busy, act }: PartProps): JSX.Element {
  const { together, production } = opened;
  const held = together.held.value;
  const count = together.members.value?.held ?? 0;
  if (count === 0) return <></>;
  const locked = busy || production.barred.value !== "";
  const mayLetIn = production.info.you.role !== "viewer";
  return (
    <section aria-labelledby="held" data-testid="held">
      <h3 id="held">Held for review</h3>
      <p>
        {counted(count, "edit")} came from a device that had been removed and didn’t know. {count === 1 ? "It is" : "They are"} kept, and
        not applied until somebody has looked.
      </p>
      <ul class="inbox">
        {held.map((one) => (
          <li key={one.bundle} class="candidate">
            <div class="candidate-who">
              <b>{one.author || "Somebody"}</b> · {one.device} ·{" "}
              <time dateTime={one.at} title={whenExactly(one.at)}>
                {when(one.at, new Date())}
              </time>
              <div>
                changes {one.documents.join(", ")}
                {one.message !== "" && <span class="said"> “{one.message}”</span>}
              </div>
            </div>
            {mayLetIn && (
              <button
                type="button"
                disabled={locked}
                aria-label={`Let in what ${one.author} changed`}
                onClick={() => void act((api) => api.letIn([one.bundle]), "Let in, on every device.")}
              >
                Let in
              </button>
            )}
          </li>
        ))}
      </ul>
      {mayLetIn && held.length > 1 && (
        <div class="buttons start">
          <button type="button" disabled={locked} data-testid="let-all-in" onClick={() => void act((api) => api.letIn([]), "Let in, on every device.")}>
            Let all in
          </button>
        </div>
      )}
    </section>
  );
}
