import { describe, expect, it } from "vitest";
import { display, duration, parse } from "../../src/domain/format";
import type { Column } from "../../src/domain/schema";

const column = (type: string, choices: string[] = []): Column => ({
  field: "f", label: "F", type, unit: "", required: false, choices, description: "", was: [], private: false,
}); // prettier-ignore

const read = (text: string, type: string, choices?: string[]): unknown => {
  const parsed = parse(text, column(type, choices));
  return parsed.ok ? parsed.value : "refused";
};

describe("typing a value", () => {
  it.each([
    ["42.10", "decimal", "42.10"],
    ["42,5", "decimal", "42.5"],
    ["42a", "decimal", "refused"],
    ["7", "integer", 7],
    ["7.5", "integer", "refused"],
    ["9007199254740993", "integer", "refused"],
    ["2,5", "number", 2.5],
    ["x", "boolean", true],
    ["no", "boolean", false],
    ["maybe", "boolean", "refused"],
    ["9:05", "time", "09:05"],
    ["10.30", "time", "10:30"],
    ["10:30:15", "time", "10:30:15"],
    ["25:00", "time", "25:00"],
    ["48:00", "time", "refused"],
    ["2027-02-29", "date", "refused"],
    ["2028-02-29", "date", "2028-02-29"],
    ["2027-03-14 19:30", "datetime", "2027-03-14T19:30"],
    ["5", "duration", 5],
    ["2.5", "duration", 2.5],
    ["1:30", "duration", 90],
    ["1:02:03", "duration", 3723],
    ["2m", "duration", 120],
    ["1:75", "duration", "refused"],
    ["", "string", null],
    ["  ", "duration", null],
    [" keeps spaces ", "string", " keeps spaces "],
    ["a, b;c", "list", ["a", "b", "c"]],
  ])("%j as %s is %j", (text, type, value) => {
    expect(read(text, type)).toEqual(value);
  });
  it("takes a choice whatever its case, and only a choice", () => {
    expect(read("SET", "choice", ["set", "cut"])).toBe("set");
    expect(read("sat", "choice", ["set", "cut"])).toBe("refused");
  });
});

describe("showing a value", () => {
  it("shows durations as minutes and seconds from one minute on", () => {
    expect([0, 5, 2.5, 59.9, 60, 90, 90.5, 3661].map(duration)).toEqual(["0", "5", "2.5", "59.9", "1:00", "1:30", "1:30.5", "1:01:01"]);
  });
  it("reads back what it shows", () => {
    for (let tenths = 0; tenths < 80_000; tenths += 7) {
      const seconds = tenths / 10;
      expect(read(duration(seconds), "duration")).toBeCloseTo(seconds, 6);
    }
  });
  it("shows what doesn't fit the type as it is", () => {
    expect(display({ a: 1 }, "string")).toBe('{"a":1}');
    expect(display("soon", "duration")).toBe("soon");
    expect(display(null, "boolean")).toBe("");
  });
});
