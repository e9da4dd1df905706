import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const SRC = resolve("src");

/** What each layer may import of our own. `domain` is pure: of packages it imports none. */
const MAY: Readonly<Record<string, readonly string[]>> = {
  domain: ["domain"],
  data: ["data", "domain"],
  state: ["state", "data", "domain"],
  ui: ["ui", "domain"],
  views: ["views", "ui", "state", "data", "domain"],
};
const PACKAGES: Readonly<Record<string, RegExp>> = {
  domain: /^$/,
  data: /^(yjs|y-|lib0)/,
  state: /^@preact\/signals$/,
  ui: /^(preact|@preact\/signals|@tanstack\/virtual-core)/,
  views: /^(preact|@preact\/signals)/,
};

const files = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .filter((name) => /\.tsx?$/.test(name) && name.includes("/"))
  .map((name) => join(SRC, name));

const layerOf = (file: string): string => relative(SRC, file).split("/")[0] ?? "";

function importsOf(file: string): string[] {
  return [...readFileSync(file, "utf8").matchAll(/^(?:import|export)\s[^;]*?from\s+"([^"]+)"/gm)].map((m) => m[1] ?? "");
}

describe("layers: views → state → data → domain, ui → domain", () => {
  it.each(files.map((file) => [relative(SRC, file), file]))("%s imports only what its layer may", (_name, file) => {
    const layer = layerOf(file);
    for (const name of importsOf(file)) {
      if (!name.startsWith(".")) {
        expect(name, "package").toMatch(PACKAGES[layer] ?? /^$/);
        continue;
      }
      const target = resolve(dirname(file), name);
      if (target.startsWith(resolve("../crdt_schema"))) expect(layer).toBe("domain");
      else expect(MAY[layer], `${layer} imports ${name}`).toContain(layerOf(target));
    }
  });

  it("domain never names the DOM", () => {
    for (const file of files.filter((f) => layerOf(f) === "domain")) {
      const code = readFileSync(file, "utf8").replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
      expect(code, file).not.toMatch(/\b(document|window|localStorage|navigator|HTML[A-Z]\w+)\s*[.([]/);
    }
  });

  it("nothing deletes a key of a Y.Map", () => {
    for (const file of files) expect(readFileSync(file, "utf8"), file).not.toMatch(/getMap[^;\n]*\.delete\(/);
  });

  it("the lock file names no registry", () => {
    const lock = readFileSync("package-lock.json", "utf8");
    expect(lock).not.toContain('"resolved"');
  });
});
