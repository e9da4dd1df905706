// What Y.decodeUpdate says of an update, in the JSON form of crdt_schema/vectors/decode.jsonl.
import { Y, base64 } from './yjs.mjs'

const id = (it) => (it ? [it.client, it.clock] : null)

const value = (it) => {
  if (it === undefined) return { $: 'undefined' }
  if (typeof it === 'bigint') return { $: 'bigint', v: String(it) }
  if (typeof it === 'number' && (!Number.isFinite(it) || Object.is(it, -0))) return { $: 'number', v: Object.is(it, -0) ? '-0' : String(it) }
  if (it instanceof Uint8Array) return { $: 'binary', v: base64(it) }
  if (Array.isArray(it)) return it.map(value)
  if (it && typeof it === 'object') return Object.fromEntries(Object.entries(it).map(([key, inner]) => [key, value(inner)]))
  return it
}

const content = (it) => {
  switch (it.constructor) {
    case Y.ContentString:
      return { content: 'String', text: it.str }
    case Y.ContentAny:
      return { content: 'Any', values: it.arr.map(value) }
    case Y.ContentJSON:
      return { content: 'JSON', values: it.arr.map(value) }
    case Y.ContentBinary:
      return { content: 'Binary', values: [value(it.content)] }
    case Y.ContentEmbed:
      return { content: 'Embed', values: [value(it.embed)] }
    case Y.ContentFormat:
      return { content: 'Format', values: [it.key, value(it.value)] }
    case Y.ContentType:
      return { content: 'Type', type: it.type.constructor.name.replace(/^Y/, ''), tag: it.type.nodeName ?? it.type.hookName ?? null }
    case Y.ContentDoc:
      return { content: 'Doc', values: [it.doc.guid] }
    default:
      return { content: 'Deleted' }
  }
}

const struct = (it) => {
  const common = { id: id(it.id), len: it.length }
  if (it instanceof Y.GC) return { ...common, struct: 'GC' }
  if (!(it instanceof Y.Item)) return { ...common, struct: 'Skip' }
  return {
    ...common,
    struct: 'Item',
    origin: id(it.origin),
    right_origin: id(it.rightOrigin),
    parent: it.parent === null ? null : typeof it.parent === 'string' ? { root: it.parent } : id(it.parent),
    key: it.parentSub,
    ...content(it.content)
  }
}

export const described = (update) => {
  const { structs, ds } = Y.decodeUpdate(update)
  const deletes = []
  for (const [client, ranges] of ds.clients) for (const range of ranges) deletes.push([client, range.clock, range.len])
  return { update: base64(update), structs: structs.map(struct), deletes }
}
