/** The page: one production, one sheet of it, one panel beside it. */
import { useSignal } from "@preact/signals";
import type { JSX } from "preact";
import { useEffect } from "preact/hooks";
import { defaultFacet, type FacetView } from "../domain/schema";
import { keepFacet, keptFacet, panel } from "../state/look";
import { tell } from "../state/notices";
import { session, type Opened } from "../state/session";
import { createSheet, type Sheet } from "../state/sheet";
import { Banners, Notices } from "./Banners";
import { ConflictView } from "./ConflictView";
import { HistoryView } from "./HistoryView";
import { ConceptPanel } from "./identity/ConceptPanel";
import { ConceptsPanel } from "./identity/ConceptsPanel";
import { Dialogs } from "./identity/Dialogs";
import { DuplicatesPanel } from "./identity/DuplicatesPanel";
import { ThingPanel } from "./identity/ThingPanel";
import { Inbox } from "./Inbox";
import { openTogether } from "./panels";
import { RelationsPanel } from "./RelationsPanel";
import { SheetView } from "./SheetView";
import { TogetherPanel } from "./together/TogetherPanel";
import { TokenForm } from "./TokenForm";
import { TopBar } from "./TopBar";

export function App(): JSX.Element {
  const current = session.value;
  switch (current.phase) {
    case "token":
      return <TokenForm problem={current.problem} />;
    case "loading":
      return (
        <main class="message">
          <p role="status">Opening the production…</p>
        </main>
      );
    case "failed":
      return (
        <main class="message">
          <h1>It couldn’t be opened</h1>
          <p role="alert">{current.problem}</p>
          <p class="hint">{current.hint}</p>
          <button type="button" class="primary" onClick={() => location.reload()}>
            Reload
          </button>
        </main>
      );
    case "ready":
      return <Desk opened={current} />;
  }
}

const sheets = new Map<string, Sheet>();

function sheetOf(opened: Opened, facet: FacetView): Sheet {
  let sheet = sheets.get(facet.name);
  if (sheet === undefined) {
    sheet = createSheet(opened.production, opened.presence, facet);
    sheets.set(facet.name, sheet);
  }
  return sheet;
}

const lastFacet = ({ production }: Opened): FacetView | null => production.facet(keptFacet(production.info.id));

function Desk({ opened }: { readonly opened: Opened }): JSX.Element {
  const facet = useSignal<FacetView | null>(lastFacet(opened) ?? defaultFacet(opened.production.info.facets));
  useEffect(() => {
    if (facet.value !== null) keepFacet(opened.production.info.id, facet.value.name);
  }, [opened, facet.value]);
  useEffect(() => {
    document.title = `${opened.production.info.name} · Openprod`;
  }, [opened]);
  useEffect(() => {
    addEventListener("keydown", nextRegion);
    addEventListener("beforeunload", askFirst);
    return () => {
      removeEventListener("keydown", nextRegion);
      removeEventListener("beforeunload", askFirst);
    };
  }, []);

  const changeTo = (chosen: FacetView): boolean => {
    // What couldn't be written when its cell was left isn't hidden behind another sheet.
    const left = facet.value !== null && facet.value !== chosen && sheetOf(opened, facet.value).editing.unsaved();
    if (left) tell("What is typed in this sheet isn’t written yet: finish it, or leave it with Esc.");
    else facet.value = chosen;
    return !left;
  };

  const goTo = (name: string, entity: string, field: string): void => {
    const found = opened.production.info.facets.find((candidate) => candidate.name === name);
    if (found === undefined || !changeTo(found)) return;
    sheetOf(opened, found).goTo(entity, field);
  };

  const shown = panel.value;
  return (
    <div class="desk">
      <TopBar opened={opened} facet={facet.value} onFacet={changeTo} />
      <Banners opened={opened} />
      <main class="work">
        {facet.value === null ? (
          <NothingYet opened={opened} />
        ) : (
          <SheetView key={facet.value.name} opened={opened} sheet={sheetOf(opened, facet.value)} />
        )}
        {shown.kind === "inbox" && <Inbox opened={opened} />}
        {shown.kind === "conflict" && <ConflictView key={shown.id} opened={opened} id={shown.id} onGoTo={goTo} />}
        {shown.kind === "history" && (
          <HistoryView key={shown.entity} opened={opened} entity={shown.entity} title={shown.title} />
        )}
        {shown.kind === "relations" && (
          <RelationsPanel key={shown.entity} opened={opened} entity={shown.entity} title={shown.title} onGoTo={goTo} />
        )}
        {shown.kind === "concepts" && <ConceptsPanel opened={opened} />}
        {shown.kind === "concept" && <ConceptPanel key={shown.name} opened={opened} name={shown.name} />}
        {shown.kind === "thing" && <ThingPanel key={shown.id} opened={opened} id={shown.id} onGoTo={goTo} />}
        {shown.kind === "together" && <TogetherPanel opened={opened} />}
        {shown.kind === "duplicates" && <DuplicatesPanel opened={opened} />}
      </main>
      <Dialogs opened={opened} />
      <Notices />
    </div>
  );
}

/** No sheet: a newcomer's copy that fills just now, or a production without plugins. */
function NothingYet({ opened }: { readonly opened: Opened }): JSX.Element {
  const changed = opened.outdated.value;
  useEffect(() => {
    if (changed) location.reload();
  }, [changed]);
  const joining = opened.together.session.value?.joining ?? "";
  return (
    <div class="message">
      <h1>Nothing to show yet</h1>
      {joining === "" || joining === "failed" ? (
        <p>This production has adopted no plugin with a sheet. Adopt one with “openprod plugin adopt”.</p>
      ) : (
        <p role="status">This device is joining others. Their sheets show here as soon as they have come.</p>
      )}
      {joining === "deciding" && (
        <button type="button" class="primary" onClick={openTogether}>
          See what would come
        </button>
      )}
    </div>
  );
}

/** What is half typed is nowhere but in this page: the browser asks before it goes. */
function askFirst(event: BeforeUnloadEvent): void {
  if ([...sheets.values()].some(({ editing }) => editing.unsaved())) event.preventDefault();
}

/** F6 goes round the parts of the page, as in desktop programs. */
function nextRegion(event: KeyboardEvent): void {
  if (event.key !== "F6") return;
  event.preventDefault();
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")];
  const at = regions.findIndex((region) => region.contains(document.activeElement));
  for (let step = 1; step <= regions.length; step += 1) {
    const index = (at + (event.shiftKey ? -step : step) + regions.length * 2) % regions.length;
    const target = regions[index]?.querySelector<HTMLElement>("[role=grid], input, button:not([disabled])");
    if (target !== null && target !== undefined) return target.focus();
  }
}
