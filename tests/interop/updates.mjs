// Random histories over every kind of content, told as JSON lines.
//   node updates.mjs --seed N --count M [--halves 1]
// Each line: seed, clients [{id, gc}], log (every transaction's update, in order of creation), decoded (what
// Y.decodeUpdate says of the log, of differences, merges and full states), sv, t (text), x (XML), m (map).
import { described } from './described.mjs'
import { Random, Y, base64, options } from './yjs.mjs'

const { seed, count, halves } = options({ seed: 1, count: 10, halves: 0 })
const WORDS = ['a', 'xyz', 'é', '日本', '😀', 'x😀y', 'hello world', '', 'null', 'a'.repeat(200), '{"a":[1]}', '\u0000', '﻿bom']
const KEYS = ['k1', 'k2', 'clé', '😀', '', 'id']

const scalar = (random) =>
  random.pick([
    () => random.pick(WORDS),
    () => random.below(300),
    () => -random.below(2 ** 31),
    () => random.pick([0.5, -0, 1e300, NaN, Infinity, -Infinity, 2 ** 53 - 1, -(2 ** 53 - 1), 2 ** 53, 1e20, 0.1, Math.fround(0.1)]),
    () => random.chance(0.5),
    () => null,
    () => undefined,
    () => BigInt.asIntN(64, BigInt(random.below(2 ** 32)) * 4294967311n),
    () => Uint8Array.from({ length: random.below(5) }, () => random.below(256))
  ])()

const plain = (random, depth = 0) => {
  if (depth < 3 && random.chance(0.15)) return Array.from({ length: random.below(4) }, () => plain(random, depth + 1))
  if (depth < 3 && random.chance(0.15)) {
    return Object.fromEntries(Array.from({ length: random.below(4) }, () => [random.pick(KEYS), plain(random, depth + 1)]))
  }
  return scalar(random)
}

const json = (random) => random.pick([true, null, 1, -2.5, 'x😀', '', { a: [1, { b: null }] }, [], 123456789012])

const nested = (random) => {
  switch (random.below(6)) {
    case 0:
      return new Y.Map([['a', random.below(9)], ['b', 'x']])
    case 1:
      return Y.Array.from([random.below(9), 'x', null])
    case 2:
      return new Y.Text(random.pick(WORDS))
    case 3:
      return new Y.Doc({ guid: `doc-${random.below(1e9)}`, ...(random.chance(0.5) ? { autoLoad: true, meta: { a: 1 } } : {}) })
    case 4:
      return new Y.XmlElement('div')
    default:
      return new Y.XmlText('hey')
  }
}

const anyValue = (random) => (random.chance(0.2) ? nested(random) : plain(random))

/** Yjs takes these two into a map, and into plain values, but not straight into an array. */
const element = (value) => (value === undefined || typeof value === 'bigint' ? [value] : value)

/** A type of that kind somewhere in the document: the root, or one nested in it. */
const somewhere = (random, root, kind) => {
  const inside = []
  root.forEach((it) => it instanceof kind && inside.push(it))
  return inside.length && random.chance(0.5) ? random.pick(inside) : root
}

/** An index that doesn't cut a character of two units in half, unless --halves 1. */
const whole = (text, index) => {
  // toString leaves embeds out; one unit stands for each in what the index counts.
  const units = text.toDelta().map((it) => (typeof it.insert === 'string' ? it.insert : '.')).join('')
  return !halves && /[\udc00-\udfff]/.test(units[index] ?? '') ? index - 1 : index
}

const edits = {
  text(doc, random) {
    const text = doc.getText('t')
    const at = whole(text, random.below(text.length + 1))
    const rest = text.length - at
    const until = (n) => Math.max(0, whole(text, at + 1 + random.below(Math.min(rest, n))) - at)
    random.pick([
      () => text.insert(at, random.pick(WORDS)),
      () => text.insert(at, random.pick(WORDS), { bold: json(random) }),
      () => rest && text.delete(at, until(8)),
      () => rest && text.format(at, until(rest), { i: random.pick([true, null, 'x', { a: 1 }]) }),
      () => text.insertEmbed(at, random.pick([{ image: 'a.png' }, { a: [1, 2] }, 'x', 1])),
      () => text.insert(text.length, 'typed')
    ])()
  },
  array(doc, random) {
    const array = somewhere(random, doc.getArray('a'), Y.Array)
    const at = random.below(array.length + 1)
    if (random.chance(0.3) && at < array.length) array.delete(at, 1 + random.below(Math.min(array.length - at, 3)))
    else array.insert(at, Array.from({ length: 1 + random.below(3) }, () => element(anyValue(random))))
  },
  map(doc, random) {
    const map = somewhere(random, doc.getMap(random.pick(['m', 'm', '日本'])), Y.Map)
    const key = random.pick(KEYS)
    if (random.chance(0.2)) map.delete(key)
    else map.set(key, anyValue(random))
  },
  xml(doc, random) {
    const place = somewhere(random, doc.getXmlFragment('x'), Y.XmlElement)
    const at = random.below(place.length + 1)
    random.pick([
      () => place.insert(at, [new Y.XmlElement(random.pick(['p', '日']))]),
      () => place.insert(at, [new Y.XmlText(random.pick(WORDS) || 'x')]),
      () => at < place.length && place.delete(at, 1),
      () => place instanceof Y.XmlElement && place.setAttribute(random.pick(['cls', 'id']), random.pick(WORDS)),
      () => place instanceof Y.XmlElement && place.removeAttribute('cls')
    ])()
  }
}

const history = (seed) => {
  const random = new Random(seed)
  const log = []
  const clients = random.clientIds(2 + random.below(3)).map((id) => {
    const doc = new Y.Doc({ gc: random.chance(0.5) })
    doc.clientID = id
    const types = [doc.getText('t'), doc.getArray('a'), doc.getMap('m'), doc.getMap('日本'), doc.getXmlFragment('x')]
    const undo = new Y.UndoManager(types, { captureTimeout: random.chance(0.5) ? 0 : 1e9 })
    doc.on('update', (update, origin) => origin !== 'remote' && log.push(update))
    return { id, doc, undo }
  })
  const extra = []
  const steps = 6 + random.below(40)
  for (let step = 0; step < steps; step++) {
    const { doc, undo } = random.pick(clients)
    const what = random.below(20)
    if (what < 12) {
      doc.transact(() => {
        for (let n = random.chance(0.7) ? 1 : 1 + random.below(5); n > 0; n--) edits[random.pick(Object.keys(edits))](doc, random)
      })
    } else if (what === 12) undo.undo()
    else if (what === 13) undo.redo()
    else if (what === 14 && log.length) {
      // Late, twice, too early: Yjs itself holds back what it can't apply yet.
      Y.applyUpdate(doc, random.pick(log), 'remote')
    } else {
      const from = random.pick(clients).doc
      const update = Y.encodeStateAsUpdate(from, Y.encodeStateVector(doc))
      extra.push(update)
      Y.applyUpdate(doc, update, 'remote')
    }
  }
  for (let n = 0; n < 6 && log.length > 1; n++) {
    extra.push(Y.mergeUpdates(Array.from({ length: 2 + random.below(4) }, () => random.pick(log)))) // often with gaps
  }
  for (const update of log) for (const { doc } of clients) Y.applyUpdate(doc, update, 'remote')
  const { doc } = clients[0]
  for (const other of clients) {
    // Where edits cut characters in half, Yjs's own clients may show other replacement characters.
    const agree = halves || other.doc.getText('t').toString() === doc.getText('t').toString()
    if (other.doc.store.pendingStructs || !agree) throw new Error(`seed ${seed}: the clients differ`)
    extra.push(Y.encodeStateAsUpdate(other.doc))
  }
  return {
    seed,
    clients: clients.map((it) => ({ id: it.id, gc: it.doc.gc })),
    log: log.map(base64),
    decoded: [...log, ...extra].map(described),
    sv: [...Y.decodeStateVector(Y.encodeStateVector(doc))],
    t: doc.getText('t').toString(),
    m: [...doc.getMap('m').keys()].sort(),
    a: doc.getArray('a').length
  }
}

for (let n = 0; n < count; n++) process.stdout.write(`${JSON.stringify(history(seed + n))}\n`)
