/** Joining: by a link, three spoken words or an address; and what can be seen of devices nearby. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { nearbyWords, type NearbyDevice } from "../../domain/together";
import type { PartProps } from "./TogetherPanel";

const LOOK_S = 4;

export function Joining({ opened, busy, act }: PartProps): JSX.Element {
  const locked = busy || opened.together.barred.value !== "";
  const words = useSignal("");
  const at = useSignal<NearbyDevice | null>(null);
  const join = (what: string, where = ""): void => void act((api) => api.join(what, where));
  return (
    <>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          join(words.value.trim(), at.value?.addresses.join(",") ?? "");
        }}
      >
        <label for="join-words">A link, or the three words that somebody says to you</label>
        <div class="row">
          <input
            id="join-words"
            autocomplete="off"
            spellcheck={false}
            placeholder="openprod://join/…  or  maple tiger window"
            disabled={locked}
            value={words.value}
            onInput={(event) => void (words.value = event.currentTarget.value)}
          />
          <button type="submit" disabled={locked || words.value.trim() === ""} data-testid="join">
            Join
          </button>
        </div>
        {at.value !== null && (
          <p class="lines">
            The words are for the device at {at.value.addresses[0]}.{" "}
            <button type="button" class="link" onClick={() => void (at.value = null)}>
              Whichever it is
            </button>
          </p>
        )}
        <p class="lines">
          What comes goes into this production, “{opened.production.info.name}”. Another one needs a folder of its own, and “openprod join” in a
          terminal.
        </p>
      </form>
      <Nearby {...{ opened, locked }} onCall={(device) => join(device.addresses.join(","))} onChoose={(device) => void (at.value = device)} />
    </>
  );
}

interface NearbyProps extends Pick<PartProps, "opened"> {
  readonly locked: boolean;
  readonly onCall: (device: NearbyDevice) => void;
  readonly onChoose: (device: NearbyDevice) => void;
}

function Nearby({ opened, locked, onCall, onChoose }: NearbyProps): JSX.Element {
  const { together, production } = opened;
  const looking = useSignal(false);
  const found = together.nearby.value;
  const look = async (): Promise<void> => {
    looking.value = true;
    await together.look(LOOK_S);
    looking.value = false;
  };
  return (
    <section aria-labelledby="nearby" class="nearby">
      <div class="row">
        <h3 id="nearby">Devices nearby</h3>
        <button type="button" disabled={locked || looking.value} data-testid="look" onClick={() => void look()}>
          {looking.value ? "Looking…" : found === null ? "Look around" : "Look again"}
        </button>
      </div>
      <div role="status">
        {found !== null && found.problem !== "" && <p class="problem">{found.problem}</p>}
        {found !== null && found.problem === "" && found.devices.length === 0 && (
          <p class="hint" data-testid="nobody-nearby">
            Nobody nearby hosts, or this network keeps devices apart: many guest networks do. A link works all the same.
          </p>
        )}
        {found !== null && found.devices.length > 0 && (
          <ul class="devices" data-testid="nearby">
            {found.devices.map((device) => (
              <li key={`${device.device} ${device.addresses.join(",")}`} data-device={device.device}>
                <span class="device-name">
                  <b>{device.name || `Device ${device.device.slice(0, 6)}`}</b> <span class="lines-inline">{nearbyWords(device, production.info.id)}</span>
                </span>
                {device.workspace === production.info.id && (
                  <button type="button" disabled={locked} data-testid="call" onClick={() => onCall(device)}>
                    Join
                  </button>
                )}
                {device.code && device.workspace !== production.info.id && (
                  <button type="button" disabled={locked} data-testid="words-for" onClick={() => onChoose(device)}>
                    I know its words
                  </button>
                )}
              </li>
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}
