/** A plugin's schema as the sheet needs it, read from the record in `GET /api/v1/workspace` with its defaults filled in. */

export interface Column {
  readonly field: string;
  readonly label: string;
  readonly type: string;
  readonly unit: string;
  readonly required: boolean;
  readonly choices: readonly string[];
  readonly description: string;
  /** Earlier keys of this field: read where the present one was never written. */
  readonly was: readonly string[];
  /** Left out of what is exported to be shared. */
  readonly private: boolean;
}

export interface FacetView {
  /** `plugin.facet` */
  readonly name: string;
  readonly label: string;
  /** The plugin's: tells one plugin's facets from another's. */
  readonly plugin: string;
  readonly title: string;
  readonly unique: readonly (readonly string[])[];
  readonly columns: readonly Column[];
  /** The fields by which people tell one row from the next: the first columns. */
  readonly lead: readonly string[];
  /** How many columns from the left stay in view. */
  readonly frozen: number;
}

/** A kind of relation. `source` and `target`: a facet's name, or "*" for any. */
export interface EdgeView {
  /** `plugin.edge` */
  readonly name: string;
  readonly label: string;
  readonly source: string;
  readonly target: string;
  /** At most one of it starts from an entity. */
  readonly one: boolean;
  readonly properties: readonly Column[];
}

const FROZEN_MAX = 3;

type Json = { readonly [key: string]: unknown };

const record = (value: unknown): Json => (typeof value === "object" && value !== null ? (value as Json) : {});
const text = (value: unknown, otherwise = ""): string => (typeof value === "string" && value !== "" ? value : otherwise);
const texts = (value: unknown): string[] => (Array.isArray(value) ? value.filter((v) => typeof v === "string") : []);

/** Facets of all plugins, in the schema's order. Anything unknown in a record is passed over. */
export function readFacets(plugins: unknown): FacetView[] {
  return Object.entries(record(plugins)).flatMap(([plugin, schema]) =>
    Object.entries(record(record(schema)["facets"])).map(([short, facet]) =>
      readFacet(`${plugin}.${short}`, text(record(schema)["label"], humanise(plugin)), facet),
    ),
  );
}

/** Edges of all plugins, in the schema's order. */
export function readEdges(plugins: unknown): EdgeView[] {
  return Object.entries(record(plugins)).flatMap(([plugin, schema]) =>
    Object.entries(record(record(schema)["edges"])).map(([short, value]) => {
      const edge = record(value);
      const end = (facet: string): string => (facet === "*" || facet.includes(".") ? facet : `${plugin}.${facet}`);
      return {
        name: `${plugin}.${short}`,
        label: text(edge["label"], humanise(short).toLowerCase()),
        source: end(text(edge["source"], "*")),
        target: end(text(edge["target"], "*")),
        one: edge["cardinality"] === "one",
        properties: Object.entries(record(edge["properties"])).map(([field, declared]) => readColumn(field, declared)),
      };
    }),
  );
}

/** The edges that may start from an entity with these facets, or lead to it. */
export const edgesAt = (edges: readonly EdgeView[], end: "source" | "target", facets: readonly string[]): EdgeView[] =>
  edges.filter((edge) => edge[end] === "*" || facets.includes(edge[end]));

function readFacet(name: string, plugin: string, value: unknown): FacetView {
  const facet = record(value);
  const unique = Array.isArray(facet["unique"]) ? facet["unique"].map(texts).filter((set) => set.length > 0) : [];
  const declared = Object.entries(record(facet["fields"])).map(([field, value]) => readColumn(field, value));
  const title = text(facet["title"]);
  const columns = leadingFirst(declared, texts(facet["order"]));
  const known = (field: string): boolean => columns.some((column) => column.field === field);
  const lead = leadOf(title, (unique[0] ?? []).filter(known)).filter(known);
  return {
    name,
    label: text(facet["label"], humanise(name.slice(name.indexOf(".") + 1))),
    plugin,
    title,
    lead,
    unique,
    columns: leadingFirst(columns, lead),
    frozen: Math.max(1, Math.min(unique[0]?.join() === lead.join() ? lead.length : 1, FROZEN_MAX)),
  };
}

/** The unique set where people speak of all of it ("LX 42"); where they speak of other fields, or of some of it only, those. */
function leadOf(title: string, unique: readonly string[]): readonly string[] {
  const spoken = [...title.matchAll(/\{([^{}:]+)(?::[^{}]*)?\}/g)].map(([, field]) => field ?? "");
  return spoken.length === 0 || (unique.length > 0 && unique.every((field) => spoken.includes(field))) ? unique : spoken;
}

function readColumn(field: string, value: unknown): Column {
  const declared = record(value);
  return {
    field,
    label: text(declared["label"], humanise(field)),
    type: text(declared["type"], "string"),
    unit: text(declared["unit"]),
    required: declared["required"] === true,
    choices: texts(declared["choices"]),
    description: text(declared["description"]),
    was: texts(declared["was"]),
    private: declared["private"] === true,
  };
}

/** Some fields lead, in their order: the plugin's columns first, then among them what tells one row from the next. */
function leadingFirst(columns: Column[], leading: readonly string[]): Column[] {
  const leads = leading.flatMap((field) => columns.filter((column) => column.field === field));
  return [...leads, ...columns.filter((column) => !leads.includes(column))];
}

/** The facet a person most likely wants first: things that are named and told apart, and of which most is said. */
export function defaultFacet(facets: readonly FacetView[]): FacetView | null {
  const named = facets.filter((facet) => facet.title !== "" && facet.unique.length > 0);
  const most = Math.max(...named.map(({ columns }) => columns.length));
  return named.find(({ columns }) => columns.length === most) ?? facets[0] ?? null;
}

/** Rows that are numbered within groups ("LX 42"): the fields of the group and that of the number. */
export function numbering(facet: FacetView): { readonly group: readonly string[]; readonly number: string } | null {
  const [first] = facet.unique;
  const number = first?.at(-1);
  const type = facet.columns.find(({ field }) => field === number)?.type ?? "";
  if (first === undefined || number === undefined || !["decimal", "integer", "number"].includes(type)) return null;
  return { group: first.slice(0, -1), number };
}

/** A field under its present key, whichever of its keys is given. */
export const presentKey = (facet: FacetView | undefined, field: string): string =>
  facet?.columns.some((column) => column.field === field) === false
    ? (facet.columns.find((column) => column.was.includes(field))?.field ?? field)
    : field;

/** "Schedule: Attendee": which facet, where several plugins are spoken of. */
export const fullLabel = (facet: FacetView): string => `${facet.plugin}: ${facet.label}`;

export function humanise(name: string): string {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
