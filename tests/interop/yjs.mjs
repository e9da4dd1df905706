// Where the tests take Yjs from: the client's packages, or, without them, this folder's own.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'

const places = ['../../client/', './']
const place = places.find((it) => existsSync(new URL(`${it}node_modules/yjs/package.json`, import.meta.url)))
if (!place) {
  console.error('No node_modules: run `npm ci` in tests/interop.')
  process.exit(3)
}
const require = createRequire(new URL(`${place}package.json`, import.meta.url))

/** A package of that place, in the form that its other packages get too (two copies of Yjs can't mix). */
export const load = (name) => require(name)
export const Y = load('yjs')

/** A generator of numbers from a seed (mulberry32): the same history for the same seed, everywhere. */
export class Random {
  constructor(seed) {
    this.state = seed >>> 0
  }

  /** From 0 up to, not with, 1. */
  next() {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let t = this.state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }

  below(n) {
    return Math.floor(this.next() * n)
  }

  chance(p) {
    return this.next() < p
  }

  pick(list) {
    return list[this.below(list.length)]
  }

  /** A client id: small, 32 bits, or up to the largest that JavaScript can hold. */
  clientId() {
    const kind = this.below(3)
    if (kind === 0) return 1 + this.below(100)
    if (kind === 1) return 1 + this.below(2 ** 32 - 1)
    return Number.MAX_SAFE_INTEGER - this.below(1e6)
  }

  /** `count` different client ids. */
  clientIds(count) {
    const ids = new Set()
    while (ids.size < count) ids.add(this.clientId())
    return [...ids]
  }
}

/** `--name value` pairs of the command line, all numbers, over `defaults`. */
export const options = (defaults) => {
  const found = { ...defaults }
  for (let i = 2; i < process.argv.length; i += 2) found[process.argv[i].replace(/^--/, '')] = Number(process.argv[i + 1])
  return found
}

export const base64 = (bytes) => Buffer.from(bytes).toString('base64')
