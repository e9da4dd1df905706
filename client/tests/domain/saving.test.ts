import { describe, expect, it } from "vitest";
import { freshLink, saveState, saveWords, type LinkState } from "../../src/domain/saving";
import { EventReader } from "../../src/domain/sse";
import { did, doAgain, noSteps, othersWrote, takeBack, type UndoStep } from "../../src/domain/undo";

const link = (change: Partial<LinkState>): LinkState => ({ ...freshLink("cues"), ...change });
const saved = link({ connected: true, synced: true, sent: 3, acknowledged: 3 });

describe("what is said about saving", () => {
  it("says saved only when all that was sent on this connection is acknowledged", () => {
    expect(saveState([saved]).kind).toBe("saved");
    expect(saveState([link({ connected: true, synced: true, sent: 3, acknowledged: 2 })]).kind).toBe("saving");
    expect(saveState([link({ connected: true, synced: false, sent: 1, acknowledged: 1 })]).kind).toBe("saving");
    expect(saveState([link({ connected: true, synced: true, sent: 0, acknowledged: 0 })]).kind).toBe("saving");
    expect(saveState([]).kind).toBe("offline");
  });
  it("needs every document", () => {
    expect(saveState([saved, link({ pending: 2 })])).toEqual({ kind: "offline", pending: 2 });
    expect(saveWords(saveState([saved, link({ pending: 1 })]))).toBe("Offline: 1 change kept in this browser");
  });
  it("says when the node takes nothing", () => {
    expect(saveState([{ ...saved, readOnly: true }]).kind).toBe("readOnly");
    expect(saveState([{ ...saved, acknowledged: 0 }], true).kind).toBe("readOnly");
    expect(saveState([link({})], true).kind).toBe("offline");
    expect(saveState([saved, link({ refused: "Gone." })])).toEqual({ kind: "refused", reason: "Gone." });
  });
});

describe("undo of one's own edits", () => {
  const step = (key: string, before: string | null, after: string): UndoStep => ({
    label: key, changes: [{ document: "cues", root: "cues.cue", key, before, after }],
  }); // prettier-ignore
  it("takes back to null what was never set, and does again", () => {
    const back = takeBack(did(noSteps, step("a/x", null, "1")));
    expect(back?.step.changes[0]).toMatchObject({ before: "1", after: null });
    const again = doAgain(back?.stacks ?? noSteps);
    expect(again?.step.changes[0]).toMatchObject({ before: null, after: "1" });
    expect(takeBack(noSteps)).toBeNull();
  });
  it("leaves alone what somebody else has written since", () => {
    const stacks = othersWrote(did(did(noSteps, step("a/x", null, "1")), step("a/y", null, "2")), "cues.cue", new Set(["a/x"]));
    expect(stacks.undo.map((s) => s.label)).toEqual(["a/y"]);
    expect(othersWrote(stacks, "cues.list", new Set(["a/y"]))).toBe(stacks);
  });
  it("forgets what was undone once something new is done", () => {
    const back = takeBack(did(noSteps, step("a/x", null, "1")));
    expect(did(back?.stacks ?? noSteps, step("b/x", null, "1")).redo).toEqual([]);
  });
});

describe("server-sent events", () => {
  const text = ': hello\n\nevent: commit\ndata: {"a":\ndata: 1}\nid: 7\n\ndata: plain\r\n\r\n';
  it("come whole from pieces broken anywhere", () => {
    for (let size = 1; size < text.length; size += 1) {
      const reader = new EventReader();
      const pieces = text.match(new RegExp(`[\\s\\S]{1,${size}}`, "g")) ?? [];
      expect(pieces.flatMap((piece) => reader.push(piece)).map(({ event, data }) => [event, data])).toEqual([
        ["commit", '{"a":\n1}'],
        ["message", "plain"],
      ]);
    }
  });
});
