import { describe, expect, it } from "vitest";
import { compareKeys, compareValues, numberBetween, sortKey } from "../../src/domain/order";

describe("console order", () => {
  it("goes by value, keeps text, puts letters after the number and blanks last", () => {
    const shown = ["1", "2", "9.5", "10", "42", "42A", "42.1", "42.10", "42.5", "43", "100", "preset", "", null];
    const mixed = [...shown].reverse();
    expect(mixed.sort((a, b) => compareValues(a, b)).filter((v) => v)).toEqual(shown.filter((v) => v));
  });
  it("is a total order: antisymmetric, and equal only for the same text", () => {
    const values = ["1", "01", "1.0", "1A", "a", "B", "-2", "42.10", "42.1"];
    for (const a of values) {
      for (const b of values) {
        expect(Math.sign(compareValues(a, b))).toBe(-Math.sign(compareValues(b, a)) + 0);
        if (a !== b) expect(compareValues(a, b)).not.toBe(0);
      }
    }
  });
  it("keeps blanks last when turned round", () => {
    const keys = ["1", "", "2"].map(sortKey).sort((a, b) => compareKeys(a, b, true));
    expect(keys.map((key) => key.text)).toEqual(["2", "1", ""]);
  });
});

describe("a number in between", () => {
  it.each([
    ["42", "43", "42.5"],
    ["42", "44", "43"],
    ["42", "42.5", "42.3"],
    ["42", "42.1", "42.05"],
    ["42.5", null, "43"],
    ["9", "100", "55"],
    [null, "1", "0.5"],
    ["42", "42", null],
    ["42A", "43", null],
    ["42.10", "42.2", "42.15"],
  ])("of %s and %s is %s", (before, after, between) => {
    expect(numberBetween(before, after)).toBe(between);
  });
  it("is always strictly between, while four decimals leave room", () => {
    for (let low = 0; low < 50; low += 1) {
      for (const step of [0.001, 0.01, 0.1, 1, 7]) {
        const high = Number((low + step).toFixed(4));
        const found = Number(numberBetween(String(low), String(high)));
        expect(found > low && found < high, `${low} < ${found} < ${high}`).toBe(true);
      }
    }
  });
});
