const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/** A ULID from a time (ms since 1970) and ten random bytes; both are passed in, so that tests can repeat it. */
export function ulid(timeMs: number, random: Uint8Array): string {
  if (random.length !== 10) throw new RangeError("ulid needs ten random bytes");
  let time = "";
  for (let rest = timeMs, i = 0; i < 10; i += 1) {
    time = ALPHABET.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  let bits = 0n;
  for (const byte of random) bits = (bits << 8n) | BigInt(byte);
  let tail = "";
  for (let i = 0; i < 16; i += 1) {
    tail = ALPHABET.charAt(Number(bits & 31n)) + tail;
    bits >>= 5n;
  }
  return time + tail;
}

/** A new entity's id: `<facet short name>_<ULID>`. */
export function newEntityId(facet: string, timeMs: number, random: Uint8Array): string {
  return `${facet.slice(facet.indexOf(".") + 1)}_${ulid(timeMs, random)}`;
}
