/**
 * What the page is opened with: `#token=…` and perhaps `&name=…`. Both are taken out of the address at once. The token
 * is kept for this tab; the name, which others see beside this person's cursor, for this browser.
 */
import { cleanName } from "../domain/presence";

const TOKEN = "openprod.token";
const NAME = "openprod.name";

export function takeFragment(): { token: string; name: string } {
  const given = new URLSearchParams(location.hash.slice(1));
  const token = given.get("token") ?? "";
  const name = cleanName(given.get("name"));
  if (token !== "") keepToken(token);
  if (name !== "") sessionStorage.setItem(NAME, name);
  if (token !== "" || name !== "") history.replaceState(null, "", location.pathname + location.search);
  return {
    token: sessionStorage.getItem(TOKEN) ?? "",
    name: sessionStorage.getItem(NAME) ?? localStorage.getItem(NAME) ?? "",
  };
}

export const keepToken = (token: string): void => {
  sessionStorage.setItem(TOKEN, token);
};

export const keepName = (name: string): void => {
  sessionStorage.setItem(NAME, name);
  localStorage.setItem(NAME, name);
};
