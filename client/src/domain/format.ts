/** Values as people read and type them, by field type. Durations are seconds; decimals are text and stay as typed. */
import type { Column } from "./schema";
import { isBlank, type Value } from "./values";

export type Parsed = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly message: string };

const ok = (value: Value): Parsed => ({ ok: true, value });
const bad = (message: string): Parsed => ({ ok: false, message });

export const isEditable = (column: Column): boolean => !["richtext", "blob"].includes(column.type);

export const isNumeric = (type: string): boolean => ["integer", "decimal", "number", "duration"].includes(type);

export function display(value: Value | undefined, type: string): string {
  if (isBlank(value)) return "";
  if (type === "boolean") return value === true ? "Yes" : value === false ? "No" : plain(value);
  if (type === "duration" && typeof value === "number") return duration(value);
  if (type === "datetime" && typeof value === "string") return value.replace("T", " ");
  return plain(value);
}

function plain(value: Value): string {
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.map((item) => plain(item)).join(", ");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

const DAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** "2026-11-24", or a date and time that begins so → "Tue 24 Nov". Anything else stays as it is. */
export function day(text: string): string {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?!\d)/.exec(text);
  if (match === null) return text;
  const [year, month, number] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const date = new Date(Date.UTC(year, month - 1, number));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== number) return text;
  return `${DAYS[date.getUTCDay()] ?? ""} ${number} ${MONTHS[month - 1] ?? ""}`;
}

/** 5 → "5", 2.5 → "2.5", 90 → "1:30", 3661 → "1:01:01". */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds) || seconds < 60) return String(seconds);
  const whole = Math.floor(seconds);
  const fraction = String(seconds - whole === 0 ? "" : Number((seconds - whole).toFixed(3))).slice(1);
  const two = (n: number): string => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor((whole % 3600) / 60);
  const head = hours > 0 ? `${hours}:${two(minutes)}` : String(minutes);
  return `${head}:${two(whole % 60)}${fraction}`;
}

/** What a person typed, as the field's value. Empty text clears the field (null). */
export function parse(text: string, column: Column): Parsed {
  const typed = text.trim();
  if (typed === "") return ok(null);
  const reader = READERS[column.type];
  return reader === undefined ? ok(text) : reader(typed, column);
}

const READERS: Readonly<Record<string, (typed: string, column: Column) => Parsed>> = {
  integer: (typed) =>
    /^[+-]?\d+$/.test(typed) && Number.isSafeInteger(Number(typed))
      ? ok(Number(typed))
      : bad(`“${typed}” isn’t a whole number.`),
  number: (typed) => {
    const number = Number(typed.replace(",", "."));
    return Number.isFinite(number) ? ok(number) : bad(`“${typed}” isn’t a number.`);
  },
  decimal: (typed) => {
    const point = typed.replace(",", ".");
    return /^[+-]?\d+(\.\d+)?$/.test(point) ? ok(point) : bad(`“${typed}” isn’t a number such as 42 or 42.5.`);
  },
  boolean: (typed) => {
    if (/^(y|yes|true|x|1|on|✓)$/i.test(typed)) return ok(true);
    return /^(n|no|false|0|off|-)$/i.test(typed) ? ok(false) : bad(`“${typed}” is neither yes nor no.`);
  },
  duration: readDuration,
  time: readTime,
  date: (typed) => (isDate(typed) ? ok(typed) : bad(`“${typed}” isn’t a date such as 2027-03-14.`)),
  datetime: (typed) => {
    const iso = typed.replace(" ", "T");
    return Number.isNaN(Date.parse(iso)) ? bad(`“${typed}” isn’t a date and time such as 2027-03-14 19:30.`) : ok(iso);
  },
  choice: (typed, column) => {
    const choice = column.choices.find((c) => c.toLowerCase() === typed.toLowerCase());
    return choice === undefined ? bad(`Choose one of: ${column.choices.join(", ")}.`) : ok(choice);
  },
  list: (typed) =>
    ok(
      typed
        .split(/[,;]/)
        .map((item) => item.trim())
        .filter((item) => item !== ""),
    ),
};

function isDate(typed: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(typed)) return false;
  const date = new Date(`${typed}T00:00:00Z`);
  return !Number.isNaN(date.getTime()) && date.toISOString().startsWith(typed);
}

/** Call sheets go on past midnight: 24:30 is half past. */
const HOURS_MAX = 47;

function readTime(typed: string): Parsed {
  const match = /^(\d{1,2})[:.](\d{2})(?::(\d{2}))?$/.exec(typed);
  const [hours, minutes, seconds] = [Number(match?.[1]), Number(match?.[2]), Number(match?.[3] ?? 0)];
  if (match === null || hours > HOURS_MAX || minutes > 59 || seconds > 59) return bad(`“${typed}” isn’t a time such as 10:30.`);
  return ok(`${String(hours).padStart(2, "0")}:${match[2]}${match[3] === undefined ? "" : `:${match[3]}`}`);
}

function readDuration(typed: string): Parsed {
  const hint = bad(`“${typed}” isn’t a duration such as 5, 2.5 or 1:30.`);
  const seconds = /^(\d+(?:[.,]\d+)?)\s*(s|sec|m|min|h)?$/i.exec(typed);
  if (seconds !== null) {
    const unit = (seconds[2] ?? "s").charAt(0).toLowerCase();
    return ok(Number(seconds[1]?.replace(",", ".")) * (unit === "h" ? 3600 : unit === "m" ? 60 : 1));
  }
  const clock = /^(?:(\d+):)?(\d{1,3}):(\d{1,2}(?:\.\d+)?)$/.exec(typed);
  if (clock === null || Number(clock[3]) >= 60) return hint;
  return ok(Number(clock[1] ?? 0) * 3600 + Number(clock[2]) * 60 + Number(clock[3]));
}
