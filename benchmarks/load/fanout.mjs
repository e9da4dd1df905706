// node fanout.mjs URL --clients 51 --writers 1 --rate 300 --seconds 10
// One line of JSON: {sent, expected, delivered, frames, p50, p95, p99, max, backlogMs, closed}; times in ms.
import { performance } from 'node:perf_hooks'
import { connect } from './socket.mjs'
import { clocks, STEP1_OF_NOTHING, STEP2_OF_NOTHING, syncMessage, syncPayload, Writer } from './yjs.mjs'

const [url, ...rest] = process.argv.slice(2)
const option = (name, otherwise) => {
  const at = rest.indexOf('--' + name)
  return at < 0 ? otherwise : Number(rest[at + 1])
}
const clients = option('clients', 51)
const writers = option('writers', 1)
const rate = option('rate', 300)
const seconds = option('seconds', 10)

const STEP_MS = 0.02
const histogram = new Float64Array(500_000)
const sentAt = new Map() // Yjs client id → times of its clocks
let delivered = 0
let frames = 0
let closed = 0
let lastDelivery = 0
let ready = 0

const sockets = await Promise.all(Array.from({ length: clients }, async () => {
  const seen = new Map()
  const socket = await connect(url, {
    onMessage (message, self) {
      if (message[0] !== 0) return
      if (message[1] === 0) {
        self.send(STEP1_OF_NOTHING)
        self.send(STEP2_OF_NOTHING)
        return
      }
      const now = performance.now()
      if (message[1] === 1) ready++
      else frames++
      for (const [client, clock] of clocks(syncPayload(message))) {
        const times = sentAt.get(client)
        if (times === undefined || client === self.own) continue
        for (let at = seen.get(client) ?? 0; at < clock; at++) {
          histogram[Math.min(histogram.length - 1, Math.floor((now - times[at]) / STEP_MS))]++
          delivered++
          lastDelivery = now
        }
        seen.set(client, Math.max(clock, seen.get(client) ?? 0))
      }
    },
    onClose () { closed++ }
  })
  return socket
}))
const deadline = performance.now() + 10_000
while (ready < clients && performance.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 5))

const pens = sockets.slice(0, writers).map((socket) => {
  const writer = new Writer()
  const times = []
  sentAt.set(writer.doc.clientID, times)
  socket.own = writer.doc.clientID
  return { socket, writer, times }
})
const start = performance.now()
let sent = 0
await new Promise((resolve) => {
  const timer = setInterval(() => {
    const elapsed = (performance.now() - start) / 1000
    const due = Math.floor(Math.min(elapsed, seconds) * rate)
    while (sent < due) {
      const { socket, writer, times } = pens[sent++ % writers]
      const message = syncMessage(2, writer.next())
      times.push(performance.now())
      socket.send(message)
    }
    if (elapsed >= seconds) {
      clearInterval(timer)
      resolve()
    }
  }, 1)
})
const stopped = performance.now()
const expected = sent * (clients - 1)
while (delivered < expected && performance.now() < stopped + 3000) {
  await new Promise((resolve) => setTimeout(resolve, 5))
}
const quantile = (share) => {
  let left = delivered * share
  for (let at = 0; at < histogram.length; at++) {
    left -= histogram[at]
    if (left <= 0) return (at + 1) * STEP_MS
  }
  return Infinity
}
const round = (number) => Math.round(number * 100) / 100
console.log(JSON.stringify({
  sent,
  expected,
  delivered,
  frames,
  p50: round(quantile(0.5)),
  p95: round(quantile(0.95)),
  p99: round(quantile(0.99)),
  max: round(quantile(1)),
  backlogMs: round(Math.max(0, lastDelivery - stopped)),
  closed
}))
process.exit(0)
