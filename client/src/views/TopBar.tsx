/** The production's name, its facets, who is here, whether all is saved. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { groupBy } from "../domain/groups";
import { initials } from "../domain/presence";
import { saveWords } from "../domain/saving";
import type { FacetView } from "../domain/schema";
import { waitingCount } from "../domain/together";
import { panel, toggleTheme } from "../state/look";
import type { Opened } from "../state/session";
import { Dialog } from "../ui/Dialog";
import { Icon } from "../ui/Icon";
import { Help } from "./Help";
import { closePanel, openConcepts, openInbox, openTogether } from "./panels";
import { LatestReach } from "./together/Reach";

interface Props {
  readonly opened: Opened;
  readonly facet: FacetView | null;
  readonly onFacet: (facet: FacetView) => void;
}

/** More sheets than these have a line of their own. */
const FACETS_BESIDE_MAX = 5;

export function TopBar({ opened, facet, onFacet }: Props): JSX.Element {
  const { production } = opened;
  const help = useSignal(false);
  const save = production.save.value;
  const { facets } = production.info;
  const several = new Set(facets.map(({ plugin }) => plugin)).size > 1;
  return (
    <header class={facets.length > FACETS_BESIDE_MAX ? "top many" : "top"} data-region="top">
      <h1>{production.info.name}</h1>
      <nav aria-label="Sheets">
        {[...groupBy(facets, ({ plugin }) => plugin)].map(([plugin, group]) => (
          <div key={plugin} class="tabs" role="group" aria-label={plugin}>
            {several && (
              <span class="tabs-of" aria-hidden="true">
                {plugin}
              </span>
            )}
            {group.map((candidate) => (
              <button
                key={candidate.name}
                type="button"
                class="tab"
                aria-current={candidate === facet ? "page" : undefined}
                onClick={() => {
                  onFacet(candidate);
                }}
              >
                {candidate.label}
              </button>
            ))}
          </div>
        ))}
      </nav>
      <span class="grow" />
      <People opened={opened} />
      <span class={`save ${save.kind}`} role="status" data-testid="save-state" data-state={save.kind}>
        <span class="dot" aria-hidden="true" />
        {saveWords(save)}
        <LatestReach opened={opened} />
      </span>
      <TogetherButton opened={opened} />
      <ConceptsButton />
      <InboxButton opened={opened} />
      <button type="button" class="plain" aria-label="Light or dark" title="Light or dark" onClick={toggleTheme}>
        <Icon name="sun" />
      </button>
      <button type="button" class="plain" aria-label="Keys and help" title="Keys and help" onClick={() => void (help.value = true)}>
        <Icon name="help" />
      </button>
      {help.value && <Help onClose={() => void (help.value = false)} />}
    </header>
  );
}

/** How many devices are here, and whether something waits for a word. */
function TogetherButton({ opened }: { readonly opened: Opened }): JSX.Element {
  const session = opened.together.session.value;
  const shown = panel.value.kind === "together";
  const waiting = waitingCount(session);
  const here = session?.in_session === true ? session.members.filter((member) => member.here).length : 0;
  return (
    <button
      type="button"
      class={waiting > 0 ? "inbox-button some" : "inbox-button"}
      aria-pressed={shown}
      data-testid="together-button"
      onClick={() => (shown ? closePanel() : openTogether())}
    >
      <Icon name="devices" /> Together
      {waiting > 0 ? (
        <>
          <span class="badge">{waiting}</span>
          <span class="sr-only">waiting for your word</span>
        </>
      ) : (
        here > 0 && (
          <>
            <span class="badge">{here}</span>
            <span class="sr-only">{here === 1 ? "device here" : "devices here"}</span>
          </>
        )
      )}
    </button>
  );
}

const CONCEPT_PANELS = new Set(["concepts", "concept", "thing", "duplicates"]);

function ConceptsButton(): JSX.Element {
  const shown = CONCEPT_PANELS.has(panel.value.kind);
  return (
    <button type="button" aria-pressed={shown} data-testid="concepts-button" onClick={() => (shown ? closePanel() : openConcepts())}>
      <Icon name="link" /> Concepts
    </button>
  );
}

function InboxButton({ opened }: { readonly opened: Opened }): JSX.Element {
  const count = opened.conflicts.open.value.length;
  const unknown = count === 0 && opened.conflicts.problem.value !== null;
  const shown = panel.value.kind === "inbox" || panel.value.kind === "conflict";
  return (
    <button
      type="button"
      class={count > 0 ? "inbox-button some" : "inbox-button"}
      aria-pressed={shown}
      data-testid="inbox-button"
      onClick={() => (shown ? closePanel() : openInbox())}
    >
      <Icon name="flag" /> Conflicts
      <span class="badge">{unknown ? "?" : count}</span>
      <span class="sr-only">{unknown ? "not known" : "open"}</span>
    </button>
  );
}

function People({ opened }: { readonly opened: Opened }): JSX.Element {
  const { presence } = opened;
  const naming = useSignal(false);
  const name = presence.name.value;
  return (
    <div class={presence.people.value.length > 3 ? "people crowd" : "people"} data-testid="presence" role="group" aria-label="Here now">
      {presence.people.value.map((person) => (
        <span key={person.name} class="person" style={{ "--person": person.color }} title={`${person.name} is here`}>
          <span aria-hidden="true">{initials(person.name)}</span>
          <span class="person-name">{person.name}</span>
        </span>
      ))}
      <button type="button" class="plain me" onClick={() => void (naming.value = true)} title="Your name, as others see it">
        <span class="person-name">{name === "" ? "You" : `${name} (you)`}</span>
      </button>
      {naming.value && <YourName name={name} onRename={presence.rename} onClose={() => void (naming.value = false)} />}
    </div>
  );
}

interface NameProps {
  readonly name: string;
  readonly onRename: (name: string) => void;
  readonly onClose: () => void;
}

function YourName({ name, onRename, onClose }: NameProps): JSX.Element {
  const text = useSignal(name);
  return (
    <Dialog title="Your name" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          onRename(text.value);
          onClose();
        }}
      >
        <p>Others see it beside your cursor. What you change is recorded under the name of your access, whatever stands here.</p>
        <label for="your-name">Name</label>
        <input
          id="your-name"
          autocomplete="name"
          value={text.value}
          maxLength={60}
          onInput={(event) => {
            text.value = event.currentTarget.value;
          }}
        />
        <div class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            Use this name
          </button>
        </div>
      </form>
    </Dialog>
  );
}
