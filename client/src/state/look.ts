/** How the page looks on this device: theme and which panel is open beside the sheet. */
import { effect, signal, type Signal } from "@preact/signals";
import type { Binding } from "../domain/bonds";
import type { ConceptDraft, Operation } from "../domain/identity";

export type Theme = "system" | "light" | "dark";
export type Panel =
  | { readonly kind: "none" }
  | { readonly kind: "inbox" }
  | { readonly kind: "conflict"; readonly id: string }
  | { readonly kind: "history"; readonly entity: string; readonly title: string }
  | { readonly kind: "relations"; readonly entity: string; readonly title: string }
  | { readonly kind: "concepts" }
  | { readonly kind: "concept"; readonly name: string }
  | { readonly kind: "thing"; readonly id: string }
  | { readonly kind: "duplicates" }
  | { readonly kind: "together" };

/** A dialog that asks before something is done. */
export type Asking =
  | { readonly kind: "none" }
  | { readonly kind: "define"; readonly draft: ConceptDraft; readonly anew: boolean }
  | { readonly kind: "bind"; readonly concept: string; readonly facet: string; readonly suggested: Binding | null }
  | { readonly kind: "same"; readonly concept: string; readonly entities: readonly string[] }
  | { readonly kind: "merge"; readonly facet: string; readonly entities: readonly string[] }
  | { readonly kind: "import"; readonly plugin: string }
  | { readonly kind: "sure"; readonly sure: Sure };

/** A question before something is done. */
export interface Sure {
  readonly title: string;
  readonly text: string;
  readonly verb: string;
  readonly operations: readonly Operation[];
  readonly done: string;
}

const THEME_KEY = "openprod.theme";

const kept = localStorage.getItem(THEME_KEY);
export const theme: Signal<Theme> = signal(kept === "light" || kept === "dark" ? kept : "system");
export const panel: Signal<Panel> = signal({ kind: "none" });
export const asking: Signal<Asking> = signal({ kind: "none" });

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  if (theme.value === "system") localStorage.removeItem(THEME_KEY);
  else localStorage.setItem(THEME_KEY, theme.value);
});

/** The sheet that was looked at last on this device; "" for none. */
export const keptFacet = (workspace: string): string => localStorage.getItem(`openprod.facet/${workspace}`) ?? "";

export const keepFacet = (workspace: string, facet: string): void => {
  localStorage.setItem(`openprod.facet/${workspace}`, facet);
};

/** Light and dark in turn, starting away from what is shown now. */
export function toggleTheme(): void {
  const dark = theme.value === "dark" || (theme.value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  theme.value = dark ? "light" : "dark";
}
