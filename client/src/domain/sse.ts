/** Server-sent events, read from a stream of text pieces (the browser's EventSource can't send a bearer token). */

export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string;
}

export class EventReader {
  private rest = "";
  private event = "";
  private data: string[] = [];
  private id = "";

  /** The events that are complete once `piece` has come. Pieces may break anywhere. */
  push(piece: string): ServerEvent[] {
    const lines = (this.rest + piece).split(/\r\n|\n|\r(?!$)/);
    this.rest = lines.pop() ?? "";
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): ServerEvent[] {
    if (line === "") return this.finish();
    const colon = line.indexOf(":");
    if (colon === 0) return [];
    const name = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    else if (name === "id") this.id = value;
    return [];
  }

  private finish(): ServerEvent[] {
    const done = this.data.length > 0 ? [{ event: this.event || "message", data: this.data.join("\n"), id: this.id }] : [];
    this.event = "";
    this.data = [];
    return done;
  }
}
