/** A made-up cue sheet, large enough to scroll both ways. */
import * as Y from "yjs";

const duration = (label) => ({ type: "duration", label, unit: "s" });
const string = (label) => ({ type: "string", label });

export const schema = {
  plugin: "cues",
  version: "1",
  label: "Cue sheets",
  facets: {
    cue: {
      label: "Cue",
      title: "{list} {number}",
      unique: [["list", "number"]],
      fields: {
        list: { ...string("List"), required: true, description: "Whose cue it is." },
        number: { type: "decimal", label: "Q", required: true },
        label: string("Label"),
        page: string("Page"),
        scene: string("Scene"),
        line: string("Line"),
        place: { type: "choice", label: "Called on", choices: ["line", "visual", "follow", "music"] },
        start: { type: "time", label: "start time" },
        up: duration("Up"),
        down: duration("Down"),
        delay: duration("Delay"),
        follow: duration("Follow"),
        link: string("Link"),
        block: { type: "boolean", label: "Block" },
        status: { type: "choice", label: "Status", choices: ["planned", "written", "working", "set", "cut"] },
        colour: { type: "color", label: "Colour" },
        notes: { type: "text", label: "Notes" },
        hang: duration("Hang"),
        focus_time: duration("Focus"),
        beam_time: duration("Beam"),
        rate: string("Rate"),
        curve: string("Curve"),
        external: string("External links"),
      },
    },
    list: { label: "Cue list", title: "{name} {label}", unique: [["name"]], fields: { name: string("List"), label: string("Label") } },
  },
};

const LOOKS = ["Preset", "House to half", "Battlements, dead of night", "The ghost crosses", "Court state", "Dawn", "Blackout", "Torch from SL", "Candles", "Play within"];
const LINES = ["who’s there?", "the bell then beating one", "it would be spoke to", "enter the king and court", "exeunt all but one", "the rest is silence"];

/** Under a client id of its own that is always the same, so that a restart makes the same versions, not rivals. */
export function fill(into, most = 120) {
  const doc = new Y.Doc();
  doc.clientID = 1;
  const map = doc.getMap("cues.cue");
  doc.transact(() => {
    let index = 0;
    const put = (list, number) => {
      const id = `cue_sample${String(index).padStart(5, "0")}`;
      const set = (field, value) => map.set(`${id}/${field}`, value);
      map.set(id, true);
      set("list", list);
      set("number", number);
      set("label", LOOKS[index % LOOKS.length]);
      set("page", String(1 + Math.floor(index / 3)));
      set("scene", `${1 + Math.floor(index / 60)}.${1 + (Math.floor(index / 12) % 5)}`);
      set("line", LINES[index % LINES.length]);
      set("place", ["line", "visual", "follow", "music"][index % 4]);
      set("up", [3, 5, 2.5, 90, 0][index % 5]);
      if (index % 3 === 0) set("down", 7);
      set("status", ["written", "set", "planned", "working"][index % 4]);
      if (index % 9 === 0) set("block", true);
      if (index % 7 === 0) set("colour", ["#2b4c9b", "#c86f2d", "#7a1f2b"][index % 3]);
      index += 1;
    };
    for (let n = 1; n <= most; n += 1) {
      put("LX", String(n));
      if (n % 11 === 0) put("LX", `${n}.5`);
      if (n % 4 === 0) put("SND", String(n / 4));
      if (n % 12 === 0) put("FLY", String(n / 12));
    }
    doc.getText("text:cues.cue/cue_sample00000/notes").insert(0, "House stays at half until the clearance.");
  });
  Y.applyUpdate(into, Y.encodeStateAsUpdate(doc));
}
