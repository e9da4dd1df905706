import { expect, test } from "vitest";
import { suited } from "../../src/domain/imports";

const importers = [
  { name: "a.card", label: "Card", files: ["*.vcf", "*.vcard"] },
  { name: "a.sheet", label: "Sheet", files: ["*.csv", "*.xlsx"] },
];

test.each([
  ["People.XLSX", "a.sheet"],
  ["x.vcard", "a.card"],
  ["x.unknown", "a.card"],
])("%s is read as %s", (name, expected) => {
  expect(suited(importers, name)?.name).toBe(expected);
});

test("a plugin that reads no files", () => {
  expect(suited([], "x.csv")).toBeNull();
});
