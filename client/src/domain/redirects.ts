/** Which entity stands for which: chains of redirects to their end. Of a ring the lowest id stays, as the node has it. */

export interface Redirects {
  /** Only of entities that another one stands for. */
  readonly survivors: ReadonlyMap<string, string>;
  /** What each survivor stands for, by id. */
  readonly absorbed: ReadonlyMap<string, readonly string[]>;
}

export const noRedirects: Redirects = { survivors: new Map(), absorbed: new Map() };

/** `targets`: entity → the entity it was merged into. */
export function followRedirects(targets: ReadonlyMap<string, string>): Redirects {
  const survivors = new Map<string, string>();
  const absorbed = new Map<string, string[]>();
  for (const entity of [...targets.keys()].sort(byCodePoint)) {
    const end = endOf(entity, targets);
    if (end === entity) continue;
    survivors.set(entity, end);
    absorbed.set(end, [...(absorbed.get(end) ?? []), entity]);
  }
  return { survivors, absorbed };
}

function endOf(entity: string, targets: ReadonlyMap<string, string>): string {
  const path = [entity];
  for (;;) {
    const next = targets.get(path.at(-1) ?? "");
    if (next === undefined) return path.at(-1) ?? entity;
    const ring = path.indexOf(next);
    if (ring !== -1) return path.slice(ring).sort(byCodePoint)[0] ?? entity;
    path.push(next);
  }
}

/** JavaScript compares UTF-16 units, every other program code points. */
function byCodePoint(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let at = 0; at < Math.min(left.length, right.length); at += 1) {
    const order = (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? 0);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}
