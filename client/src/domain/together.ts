/** Several devices with one production, as the node tells it, and the words for it. */

export interface SessionMember {
  readonly device: string;
  readonly name: string;
  readonly me: boolean;
  readonly leads: boolean;
  readonly here: boolean;
  /** An always-on machine that keeps what members send it, and never leads. */
  readonly hub?: boolean;
}

export interface Newcomer {
  readonly device: string;
  readonly name: string;
  readonly device_name: string;
}

/** A device that hosts, of which a spoken code was right. `title`: what it calls its production. */
export interface HostSeen extends Newcomer {
  readonly title: string;
}

/** What a device says of itself on the network: nothing of it is proved. `code`: three spoken words would let in there. */
export interface NearbyDevice {
  readonly device: string;
  /** As this device met it; "" for one that it never met. */
  readonly name: string;
  readonly addresses: readonly string[];
  readonly workspace: string | null;
  readonly code: boolean;
}

/** `problem`: why this device can't look around. */
export interface Nearby {
  readonly devices: readonly NearbyDevice[];
  readonly problem: string;
}

/** What would come (`bundles`, `authors`), what would go (`sends`), conflicts to come. */
export interface Plan {
  readonly id: string;
  readonly device: string;
  readonly name: string;
  /** "" from an older program. */
  readonly device_name?: string;
  readonly bundles: number;
  readonly authors: readonly { readonly name: string; readonly device: string; readonly bundles: number }[];
  readonly sends: number;
  readonly conflicts: number;
  readonly at_least: boolean;
  /** It came with a link, which makes it this; "" for a member. */
  readonly newcomer?: string;
}

/** How far an edit has come, beyond this device. */
export interface Reach {
  readonly on_leader: boolean;
  readonly devices: number;
}

export interface SessionStatus {
  readonly revision: number;
  readonly in_session: boolean;
  readonly me: { readonly device: string; readonly name: string };
  /** A device's id; "" while nobody leads. */
  readonly leader: string;
  readonly leads: boolean;
  /** "calling", "deciding", "joined", "failed" or "". */
  readonly joining: string;
  readonly problem: string;
  readonly members: readonly SessionMember[];
  readonly plans: readonly Plan[];
  readonly newcomers: readonly Newcomer[];
  readonly hosts?: readonly HostSeen[];
  /** This device's latest edit. */
  readonly mine: Reach & { readonly bundles: number };
  readonly events: readonly { readonly at: string; readonly sentence: string }[];
  /** This device's own edits that are on no other device. */
  readonly alone?: number;
  readonly clock?: { readonly sentence: string };
}

/** What lets one device in. `qr`: the link as rows of dark (1) and light (0) squares. */
export interface Invitation {
  readonly link: string;
  readonly code: string;
  readonly qr?: readonly string[];
}

export interface Edit extends Reach {
  readonly bundle: string;
  readonly author: string;
  readonly at?: string;
  readonly message?: string;
}

export interface Member {
  readonly device: string;
  readonly device_name: string;
  readonly name: string;
  readonly role: string;
  /** Where the role of a document is another. */
  readonly grants: Readonly<Record<string, string>>;
}

export interface Members {
  /** Whether anybody was ever let in: until then there are no rules. */
  readonly founded: boolean;
  readonly device: string;
  readonly members: readonly Member[];
  readonly removed: readonly string[];
  readonly held: number;
}

export interface Held {
  readonly bundle: string;
  readonly at: string;
  readonly author: string;
  readonly device: string;
  readonly documents: readonly string[];
  readonly message: string;
}

export const ROLES = ["editor", "viewer", "owner"] as const;

export const ROLE_WORDS: Readonly<Record<string, string>> = {
  owner: "Owner: also says who may work on it",
  editor: "Editor: looks and changes",
  viewer: "Viewer: looks only",
};

export const counted = (count: number, one: string, many = `${one}s`): string => `${count === 1 ? "1" : count.toLocaleString("en")} ${count === 1 ? one : many}`;

/** "14 changes from Sound, 22 from you, 3 conflicts to come" */
export function planWords(plan: Plan): string {
  const coming = plan.authors.map(({ name, bundles }, index) => `${index === 0 ? counted(bundles, "change") : bundles} from ${name || "somebody"}`);
  if (plan.authors.length === 0) coming.push(plan.bundles === 0 ? `nothing new from ${plan.name}` : `${counted(plan.bundles, "change")} from ${plan.name}`);
  const going = plan.sends === 0 ? "nothing new from you" : `${plan.bundles === 0 ? counted(plan.sends, "change") : plan.sends} from you`;
  const least = plan.at_least ? "at least " : "";
  const conflicts = plan.conflicts === 0 && !plan.at_least ? "no conflicts to come" : `${least}${counted(plan.conflicts, "conflict")} to come`;
  const said = [...coming, going, conflicts].join(", ");
  return `${said.charAt(0).toUpperCase()}${said.slice(1)}.`;
}

/** What of an edit is known beyond this device: "on the leader and 2 other devices"; null where nobody is there to have it. */
export function reachWords(reach: Reach, session: SessionStatus | null): string | null {
  if (session === null || !session.in_session) return null;
  if (reach.devices === 0) return "on no other device yet";
  const others = counted(reach.devices, "other device");
  if (session.leads) return `on ${others}`;
  if (!reach.on_leader) return `on ${others}, not on the leader yet`;
  return reach.devices === 1 ? "on the leader" : `on the leader and ${counted(reach.devices - 1, "other device")}`;
}

/** "Sound (booth-mini)"; by the start of its id where nobody has said how the device is called. */
export const memberName = ({ name, device, device_name }: Member): string => `${name || "Somebody"} (${deviceName(device, device_name)})`;

export const deviceName = (device: string, name = ""): string => name || `device ${device.slice(0, 6)}`;

/** Why nothing can be changed on this device, whatever the access token; "" when it can. */
export function deviceBarred({ founded, device, members, removed }: Members): string {
  if (!founded) return "";
  if (removed.includes(device)) return "This device was removed from the production: it looks, and changes nothing.";
  const mine = members.find((member) => member.device === device);
  if (mine === undefined) return "This device isn’t a member of the production: it looks, and changes nothing.";
  const may = mine.role !== "viewer" || Object.values(mine.grants).some((role) => role !== "viewer");
  return may ? "" : "This device has joined as a viewer: it looks, and changes nothing.";
}

/** How many wait for a person's word. */
export const waitingCount = (session: SessionStatus | null): number => (session === null ? 0 : session.plans.length + session.newcomers.length + (session.hosts ?? []).length);

/** The others: who leads first, then who is here, by name. */
export const inOrder = (members: readonly SessionMember[]): SessionMember[] =>
  [...members].sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name) || a.device.localeCompare(b.device));

const rank = ({ me, leads, here }: SessionMember): number => (me ? 0 : leads ? 1 : here ? 2 : 3);

/** "leads", "here", "away", "always on": how a member stands. */
export function standing({ leads, here, hub }: SessionMember): string {
  if (leads) return "leads";
  if (hub === true) return here ? "hub, always on" : "hub, away";
  return here ? "here" : "away";
}

/** What is new for whoever listens: newcomers and plans that weren't there before. */
export function arrivals(before: SessionStatus | null, now: SessionStatus): string[] {
  const known = new Set(before === null ? [] : [...before.plans.map(({ id }) => id), ...[...before.newcomers, ...(before.hosts ?? [])].map(({ device }) => device)]);
  return [
    ...now.newcomers.filter(({ device }) => !known.has(device)).map(({ name, device_name }) => `${name} (${device_name}) wants to join and waits for your word: see Together.`),
    ...(now.hosts ?? []).filter(({ device }) => !known.has(device)).map(({ name, device_name }) => `${name} (${device_name}) hosts. Is that the one? See Together.`),
    ...now.plans
      .filter(({ id }) => !known.has(id))
      .map(({ name, newcomer = "" }) => `${name} ${newcomer === "" ? "is there. What would come" : "came with your link, and"} waits for your word: see Together.`),
  ];
}

/** What can be told of a device nearby to whoever has the production `own`. */
export function nearbyWords({ addresses, workspace, code }: NearbyDevice, own: string): string {
  const what = workspace === own ? "hosts this production" : workspace !== null ? "hosts another production that you know" : "hosts a production that this device has never been in";
  return `${what}, at ${addresses[0] ?? "an unknown address"}${code ? "; words would let you in" : ""}`;
}

/** Why the buttons for others do nothing, for this access token; "" when they do. */
export function barredFor(role: string, barred: string): string {
  if (barred !== "" && role !== "viewer") return barred;
  return role === "owner" ? barred : "Your access shows who is here. Hosting, joining and letting in needs the owner’s link, which the node printed.";
}

/** The squares of a QR code as one SVG path, a quiet zone of four around it. */
export function qrPath(rows: readonly string[]): { readonly size: number; readonly path: string } {
  let path = "";
  rows.forEach((row, y) => {
    for (const run of row.matchAll(/1+/g)) path += `M${run.index + 4} ${y + 4}h${run[0].length}v1h-${run[0].length}z`;
  });
  return { size: rows.length + 8, path };
}
