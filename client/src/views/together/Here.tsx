/** The devices of the gathering: whose, whether here, who leads; and how far the latest edit has come. */
import type { JSX } from "preact";
import { deviceName, inOrder, reachWords, standing, type SessionMember, type SessionStatus } from "../../domain/together";
import type { Opened } from "../../state/session";
import type { PartProps } from "./TogetherPanel";

export function Here({ opened, session }: PartProps & { readonly session: SessionStatus }): JSX.Element {
  const words = session.mine.bundles === 0 ? null : reachWords(session.mine, session);
  return (
    <section aria-labelledby="here">
      <h3 id="here">Here</h3>
      <ul class="devices" data-testid="devices">
        {inOrder(session.members).map((member) => (
          <li key={member.device} data-device={member.device} data-standing={standing(member)}>
            <span class="device-name">
              <b>{member.name || "Somebody"}</b> <span class="lines-inline">{deviceOf(opened, member)}</span>
            </span>
            <span class={member.leads || member.here ? "chip" : "chip open"}>{standing(member)}</span>
          </li>
        ))}
      </ul>
      {session.leader === "" && <p class="hint">Nobody leads just now; somebody will in a few seconds. You can go on working.</p>}
      {words !== null && (
        <p class="hint" data-testid="latest-edit">
          This device’s latest edit: here, {words}.
        </p>
      )}
    </section>
  );
}

function deviceOf(opened: Opened, { device, me }: SessionMember): string {
  if (me) return "this device";
  const known = opened.together.members.value?.members.find((member) => member.device === device);
  return deviceName(device, known?.device_name);
}
