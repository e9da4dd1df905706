import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { fieldKey, parseKey, textRoot } from "../../src/domain/keys";
import { newEntityId, ulid } from "../../src/domain/ulid";

interface Vector {
  readonly call: string;
  readonly with: readonly string[];
  readonly gives: unknown;
}

const vectors = readFileSync("../crdt_schema/vectors/keys.jsonl", "utf8")
  .trim()
  .split("\n")
  .map((line) => JSON.parse(line) as Vector);

describe("key grammar, by the shared vectors", () => {
  const keys = vectors.filter((v) => v.call === "parse_key" && /^[a-z][\w-]*\.\w/.test(v.with[0] ?? "") && !v.with[0]?.startsWith("core."));
  it("has vectors to go by", () => expect(keys.length).toBeGreaterThan(10));
  it.each(keys.map((v) => [v.with[1] ?? "", v.gives] as const))("reads %j", (key, gives) => {
    const { kind, entity, field } = gives as { kind: string; entity: string; field: string | null };
    const read = parseKey(key);
    if (kind === "unknown") expect(read).toBeNull();
    else expect(read).toEqual(kind === "marker" ? { kind, entity } : { kind, entity, field });
  });
  it.each(vectors.filter((v) => v.call === "field_key" && typeof v.gives === "string").map((v) => [v.with, v.gives] as const))(
    "builds the field key of %j",
    ([entity, field], gives) => expect(fieldKey(entity ?? "", field ?? "")).toBe(gives),
  );
  it.each(vectors.filter((v) => v.call === "text_root" && typeof v.gives === "string").map((v) => [v.with, v.gives] as const))(
    "builds the text root of %j",
    ([facet, entity, field], gives) => expect(textRoot(facet ?? "", entity ?? "", field ?? "")).toBe(gives),
  );
});

describe("new ids", () => {
  it("are ULIDs: time first, then chance", () => {
    const random = Uint8Array.from({ length: 10 }, (_, index) => index * 25);
    expect(ulid(1_469_918_176_385, random)).toMatch(/^01ARYZ6S41[0-9A-HJKMNP-TV-Z]{16}$/);
    expect(ulid(0, new Uint8Array(10))).toBe("0".repeat(26));
    expect(ulid(2 ** 48 - 1, new Uint8Array(10).fill(255))).toBe(`7${"Z".repeat(25)}`);
  });
  it("say what kind of thing it is", () => {
    expect(newEntityId("cues.cue", 0, new Uint8Array(10))).toBe(`cue_${"0".repeat(26)}`);
  });
  it("sort by time", () => {
    const ids = [1e12, 1e12 + 1, 2e12].map((time) => ulid(time, new Uint8Array(10)));
    expect([...ids].sort()).toEqual(ids);
  });
});
