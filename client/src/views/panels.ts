import { asking, panel } from "../state/look";

export const closePanel = (): void => {
  panel.value = { kind: "none" };
};

export const openInbox = (): void => {
  panel.value = { kind: "inbox" };
};

export const openConcepts = (): void => {
  panel.value = { kind: "concepts" };
};

export const openConcept = (name: string): void => {
  panel.value = { kind: "concept", name };
};

export const openThing = (id: string): void => {
  panel.value = { kind: "thing", id };
};

export const openDuplicates = (): void => {
  panel.value = { kind: "duplicates" };
};

export const openTogether = (): void => {
  panel.value = { kind: "together" };
};

export const closeDialog = (): void => {
  asking.value = { kind: "none" };
};
