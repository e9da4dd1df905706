/** Coming together and parting: host, join, let one more in, leave, end. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { qrPath, ROLE_WORDS, ROLES, type Invitation, type SessionStatus } from "../../domain/together";
import { tell } from "../../state/notices";
import { Dialog } from "../../ui/Dialog";
import { Icon } from "../../ui/Icon";
import { Joining } from "./Joining";
import type { PartProps } from "./TogetherPanel";

/** By itself so far. */
export function ComeTogether({ opened, busy, act, session }: PartProps & { readonly session: SessionStatus }): JSX.Element {
  const { together } = opened;
  const locked = busy || together.barred.value !== "";
  const underWay = session.joining === "calling" || session.joining === "deciding";
  const owner = opened.production.info.you.role === "owner";
  return (
    <section class="part" aria-label="Come together">
      <p data-testid="by-itself">
        <b>This device works by itself.</b> Everything is kept here. Put several laptops together on one network and each edit
        goes to all of them; nothing moves before you say so.
      </p>
      <p role="status" class="status" data-testid="joining">
        {joiningWords(session)}
      </p>
      {session.joining === "failed" && (
        <p class="problem" role="alert">
          Nothing was joined. {session.problem}
        </p>
      )}
      {owner && underWay && (
        <div class="buttons start">
          <button type="button" disabled={locked} data-testid="give-up" onClick={() => void act((api) => api.depart("leave"), "Nothing was joined.")}>
            Give up
          </button>
        </div>
      )}
      {owner && !underWay && (
        <>
          <div class="buttons start">
            <button
              type="button"
              class="primary"
              disabled={locked}
              data-testid="host"
              onClick={() => void act(async (api) => void (together.invitation.value = await api.host("editor")))}
            >
              Host: let others join
            </button>
            <button type="button" disabled={locked} data-testid="rejoin" onClick={() => void act((api) => api.join(""))}>
              Join those from before
            </button>
          </div>
          <Joining {...{ opened, busy, act }} />
        </>
      )}
    </section>
  );
}

function joiningWords({ joining, plans, hosts = [], me }: SessionStatus): string {
  if (joining === "calling") return `Calling the other device, as ${me.name} (device ${me.device.slice(0, 6)})…`;
  if (joining !== "deciding") return "";
  return plans.length + hosts.length > 0 ? "It answers: see above." : "You said yes. The other side is asked too.";
}

/** One device more. */
export function LetIn({ opened, busy, act }: PartProps): JSX.Element {
  const { together } = opened;
  const role = useSignal("editor");
  const invitation = together.invitation.value;
  const locked = busy || together.barred.value !== "";
  const host = (): void => void act(async (api) => void (together.invitation.value = await api.host(role.value)));
  return (
    <section class="part" aria-labelledby="let-in">
      <h3 id="let-in">Let one more device in</h3>
      <div class="row">
        <select aria-label="As what" value={role.value} disabled={locked} onChange={(event) => void (role.value = event.currentTarget.value)}>
          {ROLES.map((one) => (
            <option key={one} value={one}>
              {ROLE_WORDS[one]}
            </option>
          ))}
        </select>
        <button type="button" disabled={locked} data-testid="let-in" onClick={host}>
          {invitation === null ? "Show a link" : "Another link"}
        </button>
      </div>
      {invitation !== null && <Link key={invitation.link + invitation.code} invitation={invitation} onAgain={host} />}
    </section>
  );
}

const CODE_MS = 60_000;

function Link({ invitation, onAgain }: { readonly invitation: Invitation; readonly onAgain: () => void }): JSX.Element {
  const { link, code, qr = [] } = invitation;
  const over = useSignal(code === "");
  useEffect(() => {
    const timer = setTimeout(() => void (over.value = true), CODE_MS);
    return () => {
      clearTimeout(timer);
    };
  }, [over]);
  if (link === "") {
    return (
      <p class="hint" role="status">
        Members can join by themselves. A link for somebody new comes from an owner’s device.
      </p>
    );
  }
  const copy = (): void => {
    navigator.clipboard.writeText(link).then(
      () => {
        tell("Copied. The link lets one device in.");
      },
      () => {
        tell("This browser doesn’t let the page copy: select the link and copy it.");
      },
    );
  };
  const { size, path } = qrPath(qr);
  return (
    <div class="invitation" role="status" data-testid="invitation">
      <p>
        On the other laptop: <code>openprod join LINK FOLDER</code>, or under <b>Together</b> where it has a copy. The link lets <b>one</b> device
        in, and you are asked here who it is.
      </p>
      <div class="row">
        <input readOnly aria-label="Link that lets one device in" data-testid="invite-link" value={link} onFocus={(event) => event.currentTarget.select()} />
        <button type="button" onClick={copy}>
          Copy
        </button>
      </div>
      {qr.length > 0 && (
        <svg class="qr" viewBox={`0 0 ${size} ${size}`} role="img" aria-label="The link as a QR code" data-testid="qr" shape-rendering="crispEdges">
          <rect width={size} height={size} fill="#fff" />
          <path d={path} fill="#000" />
        </svg>
      )}
      {over.value ? (
        <p class="lines">
          The spoken words held for a minute.{" "}
          <button type="button" class="link" onClick={onAgain}>
            Make new ones
          </button>
        </p>
      ) : (
        <p>
          Or say, within a minute: <b class="code" data-testid="spoken-code">{code.replaceAll("-", " ")}</b>
          <span class="lines">You are asked here, too.</span>
        </p>
      )}
    </div>
  );
}

/** Leave, and for who leads: end. Both are asked about first. */
export function Part({ opened, busy, act, session }: PartProps & { readonly session: SessionStatus }): JSX.Element {
  const asking = useSignal<"leave" | "end" | null>(null);
  const locked = busy || opened.together.barred.value !== "";
  const alone = session.mine.bundles > 0 && session.mine.devices === 0;
  const close = (): void => void (asking.value = null);
  return (
    <div class="buttons start">
      <button type="button" disabled={locked} data-testid="leave" onClick={() => void (asking.value = "leave")}>
        Leave…
      </button>
      {session.leads && (
        <button type="button" disabled={locked} data-testid="end" onClick={() => void (asking.value = "end")}>
          End for all…
        </button>
      )}
      {asking.value !== null && (
        <Dialog title={asking.value === "leave" ? "Leave the others?" : "End it for everybody?"} onClose={close}>
          <p>
            {asking.value === "leave"
              ? "Everybody keeps what they have, and you go on by yourself. What you change then comes to them when you join again."
              : "Everybody keeps what they have, and goes on alone. Come together again by hosting."}
          </p>
          {alone && (
            <p class="barred">
              <Icon name="flag" /> Your latest edit is on no other device yet. It goes out first if it can; else it stays here until you join again.
            </p>
          )}
          <div class="buttons">
            <button type="button" onClick={close}>
              Stay
            </button>
            <button
              type="button"
              class="primary"
              data-testid="confirm"
              onClick={() => {
                const how = asking.value ?? "leave";
                close();
                void act((api) => api.depart(how), how === "leave" ? "You left. Everything is kept here." : "Ended for all. Everything is kept here.");
              }}
            >
              {asking.value === "leave" ? "Leave" : "End for all"}
            </button>
          </div>
        </Dialog>
      )}
    </div>
  );
}

