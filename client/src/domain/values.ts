/** What a register may hold: JSON. `undefined` means that nobody ever wrote it, `null` that somebody cleared it. */
export type Value = null | boolean | number | string | readonly Value[] | { readonly [key: string]: Value };

/** The one JSON text of a value (sorted keys), so that equal values compare equal. */
export function canonical(value: Value | undefined): string {
  return JSON.stringify(sorted(value ?? null));
}

export function sameValue(a: Value | undefined, b: Value | undefined): boolean {
  return a === b || canonical(a) === canonical(b);
}

export function isBlank(value: Value | undefined): value is null | undefined | "" {
  return value === undefined || value === null || value === "";
}

function sorted(value: Value): Value {
  if (Array.isArray(value)) return value.map(sorted);
  if (value !== null && typeof value === "object") {
    const record = value as { readonly [key: string]: Value };
    return Object.fromEntries(
      Object.keys(record)
        .sort()
        .map((key) => [key, sorted(record[key] ?? null)]),
    );
  }
  return value;
}
