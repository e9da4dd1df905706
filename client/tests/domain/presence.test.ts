import { describe, expect, it } from "vitest";
import { colorFor, initials, readPerson } from "../../src/domain/presence";

describe("somebody of another program", () => {
  const color = (said: unknown): string | undefined => readPerson(1, { user: { name: "Sam", color: said } })?.color;

  it("keeps a colour that a white name can be read on", () => {
    expect(color("#1f3d7a")).toBe("#1f3d7a");
  });

  it.each(["#ffff00", "#FFBC42", "#30bced", "#ffffff", "#ff0000", "red", "#fff", "url(x)", 7])("gets one of ours for %s", (said) => {
    expect(color(said)).toBe(colorFor("Sam"));
  });

  it("is abbreviated to whole characters", () => {
    expect(initials("Sam Poe")).toBe("SP");
    expect(initials("🎭 Zoë")).toBe("🎭Z");
    expect(initials("")).toBe("");
  });
});
