// Random histories of registers, in the form of crdt_schema/vectors/histories.jsonl.
//   node histories.mjs --seed N --count M [--undo 1]
// What is in `registers` comes from the struct store of a client that keeps everything, and from true vector
// clocks: what each author's document held when it wrote. `--undo 1` adds undo and redo: ops ["u"] and ["r"].
import { Random, Y, base64, options } from './yjs.mjs'

const ROOT = 'cues.cue'
const byId = (a, b) => a[0] - b[0] || a[1] - b[1]
const name = (id) => id.join(':')

/** Every version of every register: Map key → [{id, origin, value}]. An item of length n is n versions. */
const versionsOf = (doc) => {
  const registers = new Map()
  const map = doc.getMap(ROOT)
  for (const structs of doc.store.clients.values()) {
    for (const item of structs) {
      if (!(item instanceof Y.Item) || item.parent !== map) continue
      const values = item.content.getContent()
      if (values.length !== item.length) throw new Error('a version lost its value')
      for (let i = 0; i < item.length; i++) {
        const before = i ? [item.id.client, item.id.clock + i - 1] : item.origin && [item.origin.client, item.origin.clock]
        const version = { id: [item.id.client, item.id.clock + i], origin: before, value: values[i] }
        registers.set(item.parentSub, [...(registers.get(item.parentSub) ?? []), version])
      }
    }
  }
  return registers
}

const register = (key, versions, doc, log) => {
  versions.sort((a, b) => byId(a.id, b.id))
  const ids = versions.map((it) => it.id)
  const parents = new Set(versions.filter((it) => it.origin).map((it) => name(it.origin)))
  const leaves = ids.filter((id) => !parents.has(name(id)))
  const heads = leaves.filter((id) => !ids.some((other) => other[0] === id[0] && other[1] > id[1]))
  const known = new Map(ids.map((id) => [name(id), log.find((it) => it.client === id[0] && it.from <= id[1] && id[1] < it.to).knew]))
  const saw = (later, earlier) =>
    (later[0] === earlier[0] && later[1] > earlier[1]) || (later[0] !== earlier[0] && (known.get(name(later)).get(earlier[0]) ?? 0) > earlier[1])
  const maxima = ids.filter((id) => !ids.some((other) => saw(other, id)))
  const { lastId } = doc.getMap(ROOT)._map.get(key)
  return {
    root: ROOT,
    key,
    versions,
    leaves,
    heads,
    vector_clock_maxima: maxima,
    winner: [lastId.client, lastId.clock],
    shown: doc.getMap(ROOT).get(key) ?? null
  }
}

const history = (seed, withUndo) => {
  const random = new Random(seed)
  const log = []
  const clients = random.clientIds(2 + random.below(3)).map((id, index) => {
    // The first keeps everything: another that does not may have told the rest less than it once knew.
    const doc = new Y.Doc({ gc: index > 0 && random.chance(0.6) })
    doc.clientID = id
    const client = { id, doc, undo: new Y.UndoManager(doc.getMap(ROOT), { captureTimeout: 0 }), update: null }
    doc.on('update', (update, origin) => {
      if (origin !== 'remote') client.update = update
    })
    return client
  })
  const write = (client, op, change) => {
    const knew = Y.decodeStateVector(Y.encodeStateVector(client.doc))
    client.update = null
    change()
    if (!client.update) return
    const from = knew.get(client.id) ?? 0
    const to = Y.decodeStateVector(Y.encodeStateVector(client.doc)).get(client.id) ?? 0
    log.push({ client: client.id, update: base64(client.update), op, knew, from, to })
  }
  const keys = Array.from({ length: 1 + random.below(3) }, (_, n) => `cue_${n}/start`)
  const steps = 4 + random.below(24)
  const together = random.next()
  for (let step = 0; step < steps; step++) {
    const client = random.pick(clients)
    const map = client.doc.getMap(ROOT)
    if (random.chance(together * 0.6)) {
      const other = random.pick(clients)
      Y.applyUpdate(other.doc, Y.encodeStateAsUpdate(client.doc, Y.encodeStateVector(other.doc)), 'remote')
    }
    const key = random.pick(keys)
    const what = random.next()
    if (what < 0.04 && map.has(key)) write(client, ['d', key], () => map.delete(key))
    else if (withUndo && what < 0.12) write(client, ['u'], () => client.undo.undo())
    else if (withUndo && what < 0.18) write(client, ['r'], () => client.undo.redo())
    else {
      const value = `v${log.length + 1}`
      write(client, ['s', key, value], () => map.set(key, value))
    }
  }
  // The log, not the clients' states, so that nobody lacks a value that its author has since collected.
  const whole = new Y.Doc({ gc: false })
  for (const { update } of log) Y.applyUpdate(whole, Buffer.from(update, 'base64'), 'remote')
  for (let round = 0; round < 2; round++) {
    for (const a of clients) for (const b of clients) Y.applyUpdate(b.doc, Y.encodeStateAsUpdate(a.doc, Y.encodeStateVector(b.doc)), 'remote')
  }
  const shown = JSON.stringify(keys.map((key) => whole.getMap(ROOT).get(key) ?? null))
  for (const { doc } of clients) {
    if (JSON.stringify(keys.map((key) => doc.getMap(ROOT).get(key) ?? null)) !== shown) throw new Error(`seed ${seed}: the clients differ`)
  }
  return {
    seed,
    clients: clients.map((it) => ({ id: it.id, kind: it.doc.gc ? 'yjs' : 'yjs gc:false' })),
    log: log.map(({ client, update, op }) => ({ client, update, op })),
    registers: [...versionsOf(whole)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, versions]) => register(key, versions, whole, log)),
    final_state_of_each: clients.map((it) => base64(Y.encodeStateAsUpdate(it.doc)))
  }
}

const { seed, count, undo } = options({ seed: 1, count: 10, undo: 0 })
for (let n = 0; n < count; n++) process.stdout.write(`${JSON.stringify(history(seed + n, undo > 0))}\n`)
