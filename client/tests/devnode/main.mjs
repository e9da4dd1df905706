/**
 * A stand-in node for working on the page alone: `npm run build && npm run devnode -- [port [cues]]`, then open
 * http://127.0.0.1:PORT/#token=dev. It speaks y-websocket with acknowledgements, serves dist/, and makes up one conflict
 * and its history. It judges nothing and keeps nothing; the real node is `openprod serve`.
 */
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, join, normalize } from "node:path";
import { WebSocketServer } from "ws";
import * as Y from "yjs";
import * as awareness from "y-protocols/awareness";
import * as sync from "y-protocols/sync";
import * as encoding from "lib0/encoding";
import * as decoding from "lib0/decoding";
import { fill, schema } from "./sample.mjs";
import { conflictFor, historyFor } from "./story.mjs";

const port = Number(process.argv[2] ?? 8041);
const dist = new URL("../../dist/", import.meta.url).pathname;
const rooms = new Map();
const streams = new Set();
const conflicts = new Map();

function room(name) {
  let found = rooms.get(name);
  if (found === undefined) {
    const doc = new Y.Doc({ gc: false });
    found = { doc, awareness: new awareness.Awareness(doc), sockets: new Set() };
    found.awareness.setLocalState(null);
    if (name === "cues") fill(doc, Number(process.argv[3] ?? 120));
    rooms.set(name, found);
  }
  return found;
}

const first = conflictFor(room("cues").doc);
conflicts.set(first.id, first);

const json = (response, status, body) => {
  response.writeHead(status, { "Content-Type": "application/json" });
  response.end(JSON.stringify(body));
};

const announce = (event) => {
  for (const stream of streams) stream.write(`event: commit\ndata: ${JSON.stringify(event)}\n\n`);
};

async function body(request) {
  let text = "";
  for await (const chunk of request) text += chunk;
  return JSON.parse(text);
}

async function api(request, response, path, query) {
  if (request.headers.authorization !== "Bearer dev") {
    return json(response, 401, { error: { code: "unauthorised", sentence: "This access token isn’t known here.", hint: "" } });
  }
  if (path === "/workspace") {
    return json(response, 200, { id: "dev", name: "Hamlet", documents: ["core", "cues"], replica: "r1", plugins: { cues: schema } });
  }
  if (path === "/events") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write(": here\n\n");
    streams.add(response);
    request.on("close", () => streams.delete(response));
    return undefined;
  }
  if (path === "/conflicts") {
    const status = query.get("status") ?? "open";
    const found = [...conflicts.values()].filter((c) => status === "all" || c.status === status);
    return json(response, 200, { conflicts: found, next: null });
  }
  const one = /^\/conflicts\/([^/]+)(\/resolutions)?$/.exec(path);
  if (one !== null && request.method === "GET") return json(response, 200, conflicts.get(one[1]));
  if (one !== null) return resolve(response, conflicts.get(one[1]), await body(request));
  if (path.startsWith("/history/")) {
    return json(response, 200, historyFor(room("cues").doc, decodeURIComponent(path.slice(9)), [...conflicts.values()]));
  }
  if (path === "/bundles") {
    const { operations } = await body(request);
    for (const { entity } of operations) room("core").doc.getMap("core.entity").set(entity, null);
    announce({ bundle: "b", conflicts: [], entities: operations.map((o) => o.entity), actor: "Dev" });
    return json(response, 200, { bundle: "b", hlc: "", conflicts: [] });
  }
  return json(response, 404, { error: { code: "not-found", sentence: "There is nothing here.", hint: "" } });
}

function resolve(response, conflict, { choose, value, heads }) {
  if (JSON.stringify(heads) !== JSON.stringify(conflict.heads)) {
    return json(response, 409, { error: { code: "moved-on", sentence: "It has changed." }, conflict });
  }
  const chosen = conflict.candidates.find((c) => c.version === choose);
  const decided = chosen === undefined ? value : chosen.value;
  const decision = {
    id: `r${conflict.resolutions.length + 1}`, by: "Sam", user: "u3", device: "dev", heads, at: new Date().toISOString(),
    chosen: choose ?? null, value: decided, supersedes: conflict.resolution?.id ?? null,
  };
  Object.assign(conflict, {
    status: "resolved", reopened: false, resolution: decision, resolutions: [...conflict.resolutions, decision],
    heads: [`cues:9:${conflict.resolutions.length}`],
    sentence: `${conflict.title} ${conflict.label}: decided ${decided} (Sam).`,
  });
  room("cues").doc.getMap("cues.cue").set(`${conflict.entity}/${conflict.field}`, decided);
  announce({ bundle: "b", conflicts: [conflict.id], entities: [conflict.entity], actor: "Sam" });
  return json(response, 200, { bundle: "b", hlc: "", conflicts: [] });
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml" };

const server = createServer((request, response) => {
  const url = new URL(request.url, "http://x");
  if (url.pathname.startsWith("/api/v1")) {
    api(request, response, url.pathname.slice(7), url.searchParams).catch((error) => json(response, 500, { message: String(error) }));
    return;
  }
  const name = url.pathname === "/" ? "index.html" : normalize(url.pathname);
  readFile(join(dist, name)).then(
    (data) => {
      response.writeHead(200, { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream" });
      response.end(data);
    },
    () => json(response, 404, {}),
  );
});

new WebSocketServer({ server }).on("connection", (socket, request) => {
  const url = new URL(request.url, "http://x");
  if (url.searchParams.get("token") !== "dev") return socket.close(4401, "token");
  const here = room(url.pathname.split("/").at(-1));
  const acks = url.searchParams.get("ack") === "1";
  let durable = 0;
  const clients = new Set();
  const send = (write) => {
    const encoder = encoding.createEncoder();
    write(encoder);
    if (socket.readyState === 1) socket.send(encoding.toUint8Array(encoder));
  };
  const onUpdate = (update, origin) => {
    if (origin !== socket) send((e) => (encoding.writeVarUint(e, 0), sync.writeUpdate(e, update)));
  };
  const onAwareness = ({ added, updated, removed }, origin) => {
    if (origin === socket) for (const client of added) clients.add(client);
    const update = awareness.encodeAwarenessUpdate(here.awareness, [...added, ...updated, ...removed]);
    send((e) => (encoding.writeVarUint(e, 1), encoding.writeVarUint8Array(e, update)));
  };
  here.doc.on("update", onUpdate);
  here.awareness.on("update", onAwareness);
  send((e) => (encoding.writeVarUint(e, 0), sync.writeSyncStep1(e, here.doc)));
  const present = [...here.awareness.getStates().keys()];
  if (present.length > 0) {
    const update = awareness.encodeAwarenessUpdate(here.awareness, present);
    send((e) => (encoding.writeVarUint(e, 1), encoding.writeVarUint8Array(e, update)));
  }
  socket.on("message", (data) => {
    const decoder = decoding.createDecoder(new Uint8Array(data));
    const type = decoding.readVarUint(decoder);
    if (type === 1) awareness.applyAwarenessUpdate(here.awareness, decoding.readVarUint8Array(decoder), socket);
    if (type !== 0) return;
    const reply = encoding.createEncoder();
    encoding.writeVarUint(reply, 0);
    const step = sync.readSyncMessage(decoder, reply, here.doc, socket);
    if (encoding.length(reply) > 1) socket.send(encoding.toUint8Array(reply));
    if (step === 0 || !acks) return;
    durable += 1;
    send((e) => (encoding.writeVarUint(e, 40), encoding.writeVarUint(e, durable)));
  });
  socket.on("close", () => {
    here.doc.off("update", onUpdate);
    here.awareness.off("update", onAwareness);
    awareness.removeAwarenessStates(here.awareness, [...clients], null);
  });
  return undefined;
});

server.listen(port, "127.0.0.1", () => process.stdout.write(`listening on http://127.0.0.1:${port}\n`));
