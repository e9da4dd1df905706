/** How the page looks on this device: theme and which panel is open beside the sheet. */
import { effect, signal, type Signal } from "@preact/signals";

export type Theme = "system" | "light" | "dark";
export type Panel =
  | { readonly kind: "none" }
  | { readonly kind: "inbox" }
  | { readonly kind: "conflict"; readonly id: string }
  | { readonly kind: "history"; readonly entity: string; readonly title: string };

const THEME_KEY = "openprod.theme";

const kept = localStorage.getItem(THEME_KEY);
export const theme: Signal<Theme> = signal(kept === "light" || kept === "dark" ? kept : "system");
export const panel: Signal<Panel> = signal({ kind: "none" });

effect(() => {
  document.documentElement.dataset["theme"] = theme.value;
  if (theme.value === "system") localStorage.removeItem(THEME_KEY);
  else localStorage.setItem(THEME_KEY, theme.value);
});

/** Light and dark in turn, starting away from what is shown now. */
export function toggleTheme(): void {
  const dark = theme.value === "dark" || (theme.value === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  theme.value = dark ? "light" : "dark";
}
