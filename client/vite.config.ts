import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { defineConfig, type Plugin } from "vite";

/** `dist/sw.js`: the worker with the list of the built files, and a version that changes whenever one of them does. */
function shell(): Plugin {
  return {
    name: "openprod-shell",
    apply: "build",
    generateBundle: {
      order: "post",
      handler(_options, bundle) {
        const hash = createHash("sha256");
        for (const name of Object.keys(bundle).sort()) {
          const file = bundle[name];
          hash.update(name).update(file?.type === "asset" ? file.source : (file?.code ?? ""));
        }
        const files = ["/index.html", "/icon.svg", ...Object.keys(bundle).filter((n) => n !== "index.html").map((n) => `/${n}`)];
        const source = readFileSync("src/worker/shell.js", "utf8")
          .replace("__FILES__", JSON.stringify(files))
          .replace("__VERSION__", hash.digest("hex").slice(0, 12));
        this.emitFile({ type: "asset", fileName: "sw.js", source });
      },
    },
  };
}

export default defineConfig({
  plugins: [shell()],
  build: { target: "es2022", modulePreload: { polyfill: false }, chunkSizeWarningLimit: 400 },
  server: { proxy: { "/api": "http://127.0.0.1:8040", "/yjs": { target: "ws://127.0.0.1:8040", ws: true } } },
});
