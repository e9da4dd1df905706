/** One disagreement about LX 42's start, and its history, in the node's shapes. */

const at = (minute) => new Date(Date.now() - minute * 60_000).toISOString();
const alex = "Alex";
const jordan = "Jordan";

function find(doc, list, number) {
  const map = doc.getMap("cues.cue");
  for (const key of map.keys()) {
    if (!key.includes("/") && map.get(`${key}/list`) === list && map.get(`${key}/number`) === number) return key;
  }
  throw new Error("no such cue");
}

export function conflictFor(doc) {
  const entity = find(doc, "LX", "42");
  doc.getMap("cues.cue").set(`${entity}/start`, "10:45");
  return {
    id: "c1", kind: "field", status: "open", reopened: false, heads: ["cues:1:5", "cues:2:8"],
    entity, facet: "cues.cue", field: "start", title: "LX 42", label: "start time",
    sentence: "LX 42 start time: Alex set 10:30, Jordan set 10:45 without seeing each other. Choose a value.",
    base: { version: "cues:1:1", value: "10:00" }, shown: "cues:2:8",
    candidates: [
      { version: "cues:1:5", value: "10:30", author: alex, device: "Alex’s laptop", at: at(34), bundle: "b1", unaware_of: ["cues:2:8"] },
      { version: "cues:2:8", value: "10:45", author: jordan, device: "booth-mini", at: at(31), bundle: "b2", unaware_of: ["cues:1:5"] },
    ],
    resolution: null, resolutions: [],
  };
}

export function historyFor(doc, entity, conflicts) {
  const map = doc.getMap("cues.cue");
  const title = `${map.get(`${entity}/list`)} ${map.get(`${entity}/number`)}`;
  const conflict = conflicts.find((c) => c.entity === entity);
  const version = (version, value, author, device, minute, parent, status, knowing) => ({
    version, value, author, device, at: at(minute), bundle: "b", message: "", parent, status, knowing,
  });
  const start = conflict === undefined ? [] : [
    version("cues:1:1", "10:00", alex, "Alex’s laptop", 3000, null, "overwritten", []),
    version("cues:1:5", "10:30", alex, "Alex’s laptop", 34, "cues:1:1", conflict.status === "open" ? "head" : "resolved", ["cues:1:1"]),
    version("cues:2:8", "10:45", jordan, "booth-mini", 31, "cues:1:1", conflict.status === "open" ? "shown" : "resolved", ["cues:1:1"]),
  ];
  const label = version("cues:1:2", map.get(`${entity}/label`), alex, "Alex’s laptop", 3000, null, "shown", []);
  return {
    entity, title, bundles: [],
    fields: [
      { facet: "cues.cue", field: "start", label: "start time", versions: start },
      { facet: "cues.cue", field: "label", label: "Label", versions: [label] },
    ],
  };
}
