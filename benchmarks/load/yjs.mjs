// The little of y-protocols that a load generator says and hears. `message[0]`: 0 sync, 1 awareness, 40 saved.
import * as Y from 'yjs'

export function varUint (number) {
  const bytes = []
  while (number > 127) {
    bytes.push(128 | (number & 127))
    number = Math.floor(number / 128)
  }
  bytes.push(number)
  return bytes
}

export function readVarUint (bytes, at) {
  let number = 0
  let factor = 1
  for (;;) {
    const byte = bytes[at++]
    number += (byte & 127) * factor
    if (byte < 128) return [number, at]
    factor *= 128
  }
}

export const syncMessage = (step, payload) =>
  Buffer.concat([Buffer.from([0, step, ...varUint(payload.length)]), payload])
export const STEP1_OF_NOTHING = syncMessage(0, Buffer.from([0]))
export const STEP2_OF_NOTHING = syncMessage(1, Buffer.from([0, 0]))

/** Payload of a sync message (state vector or update). */
export function syncPayload (message) {
  const [length, at] = readVarUint(message, 2)
  return message.subarray(at, at + length)
}

/** Next clock of each client in an update. Readers get the same bytes, so the last few are remembered. */
const remembered = new Map()
export function clocks (update) {
  const key = update.toString('latin1')
  let known = remembered.get(key)
  if (known === undefined) {
    const ends = new Map()
    for (const { id, length } of Y.decodeUpdate(update).structs) {
      ends.set(id.client, Math.max(ends.get(id.client) ?? 0, id.clock + length))
    }
    known = [...ends]
    remembered.set(key, known)
    if (remembered.size > 256) remembered.delete(remembered.keys().next().value)
  }
  return known
}

/** A writer of registers as an outside program makes them: one key of `cues.cue` per change. */
export class Writer {
  constructor () {
    this.doc = new Y.Doc()
    this.map = this.doc.getMap('cues.cue')
    this.doc.on('update', (update) => { this.update = update })
    this.count = 0
    this.prefix = `cue_${this.doc.clientID}`
  }

  /** The next update's bytes; its clock is `count` before the call. */
  next () {
    const number = this.count++
    this.map.set(`${this.prefix}_${number % 100}/start`, `10:${String(number).padStart(6, '0')}`)
    return this.update
  }
}

export { Y }
