import { panel } from "../state/look";

export const closePanel = (): void => {
  panel.value = { kind: "none" };
};

export const openInbox = (): void => {
  panel.value = { kind: "inbox" };
};
