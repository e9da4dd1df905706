/** The devices that may work on the production, here or not: as what, and who no longer. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { counted, deviceName, memberName, ROLES, type Member } from "../../domain/together";
import { humanise } from "../../domain/schema";
import { Dialog } from "../../ui/Dialog";
import { Icon } from "../../ui/Icon";
import type { PartProps } from "./TogetherPanel";

export function MembersList({ opened, busy, act }: PartProps): JSX.Element {
  const { together, production } = opened;
  const removing = useSignal<Member | null>(null);
  const found = together.members.value;
  if (found === null) return <></>;
  const mine = found.members.find(({ device }) => device === found.device);
  const owner = production.info.you.role === "owner" && mine?.role === "owner";
  const locked = busy || together.barred.value !== "";
  const close = (): void => void (removing.value = null);
  return (
    <section aria-labelledby="members-of" data-testid="who-may">
      <h3 id="members-of">Who may work on it</h3>
      {!found.founded && <p class="hint">Nobody was let in yet: whoever has a copy may change it. Rules begin with the first device that is let in.</p>}
      <ul class="devices">
        {found.members.map((member) => {
          const name = memberName(member);
          const device = deviceName(member.device, member.device_name);
          const me = member.device === found.device;
          return (
            <li key={member.device} data-device={member.device}>
              <span class="device-name">
                <b>{member.name || "Somebody"}</b> <span class="lines-inline">{me ? `${device}, this device` : device}</span>
              </span>
              {owner && !me ? (
                <span class="row">
                  <select
                    aria-label={`What ${name} may do`}
                    value={member.role}
                    disabled={locked}
                    onChange={({ currentTarget }) => void act((api) => api.changeMember(member, currentTarget.value), `${name} is ${currentTarget.value} now.`)}
                  >
                    {ROLES.map((role) => (
                      <option key={role} value={role}>
                        {humanise(role)}
                      </option>
                    ))}
                  </select>
                  <button type="button" class="plain" disabled={locked} aria-label={`Remove ${name}`} title="Remove…" data-testid="remove-member" onClick={() => void (removing.value = member)}>
                    <Icon name="trash" />
                  </button>
                </span>
              ) : (
                <span class="chip">{member.role}</span>
              )}
            </li>
          );
        })}
      </ul>
      {found.removed.length > 0 && <p class="hint">{counted(found.removed.length, "device was", "devices were")} removed: {found.removed.map((id) => id.slice(0, 6)).join(", ")}.</p>}
      {removing.value !== null && (
        <Dialog title={`Remove ${memberName(removing.value)}?`} onClose={close}>
          <p>Its next connection is refused. What it did so far stays; what it does without knowing of this is held for your review. It keeps its own copy.</p>
          <div class="buttons">
            <button type="button" onClick={close}>
              Cancel
            </button>
            <button
              type="button"
              class="danger"
              data-testid="confirm"
              onClick={() => {
                const member = removing.value;
                close();
                if (member !== null) void act((api) => api.removeMember(member.device), `${memberName(member)} is no member any more.`);
              }}
            >
              Remove
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
