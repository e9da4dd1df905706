/** Who is here. What others say of themselves is shown, never trusted: anything malformed is passed over. */

export interface Person {
  readonly client: number;
  readonly name: string;
  readonly color: string;
  readonly cell: { readonly facet: string; readonly entity: string; readonly field: string } | null;
}

/** Seen against white and against near-black alike; white text on each passes AA. */
const COLORS = ["#b4332f", "#9a5a00", "#4d7000", "#007355", "#0071a8", "#3d5fc4", "#7a4cc2", "#a83a86"] as const;

export function colorFor(name: string): string {
  let hash = 0;
  for (const char of name) hash = (hash * 31 + (char.codePointAt(0) ?? 0)) >>> 0;
  return COLORS[hash % COLORS.length] ?? COLORS[0];
}

/** Whether a program's colour is one, and dark enough for the white names that stand on it (AA: 4.5 to 1). */
function carriesWhite(color: string): boolean {
  if (!/^#[0-9a-f]{6}$/i.test(color)) return false;
  const [red = 0, green = 0, blue = 0] = [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 4.5;
}

export function readPerson(client: number, state: unknown): Person | null {
  const { user, account, cell } = (state ?? {}) as {
    user?: { name?: unknown; color?: unknown };
    account?: { name?: unknown };
    cell?: Record<string, unknown>;
  };
  const name = [user?.name, account?.name].map(cleanName).find((found) => found !== "") ?? "";
  if (name === "") return null;
  const color = typeof user?.color === "string" && carriesWhite(user.color) ? user.color : colorFor(name);
  return { client, name, color, cell: readCell(cell) };
}

/** What a person may be called: one line, not too long. */
export function cleanName(name: unknown): string {
  return typeof name === "string" ? name.replace(/\s+/g, " ").trim().slice(0, 60) : "";
}

function readCell(cell: Record<string, unknown> | null | undefined): Person["cell"] {
  const { facet, entity, field } = cell ?? {};
  if (typeof facet !== "string" || typeof entity !== "string" || typeof field !== "string") return null;
  return { facet, entity, field };
}

/** One entry per name: a person may have several pages open, and stands in every document of each. */
export function people(persons: readonly Person[]): readonly { name: string; color: string }[] {
  const byName = new Map(persons.map(({ name, color }) => [name, { name, color }]));
  return [...byName.values()].sort((a, b) => a.name.localeCompare(b.name));
}

export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const first = (word = ""): string => [...word][0] ?? ""; // a whole character: an emoji has two units
  return (first(words[0]) + (words.length > 1 ? first(words.at(-1)) : "")).toUpperCase();
}
