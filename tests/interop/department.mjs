// A department's own Yjs program: connects, waits until it is in step, parts and says so; makes the changes that it reads
// as JSON lines {key, value}, alone; comes back, and ends when the node has all of them on disk.
//
//   node department.mjs ADDRESS TOKEN DOCUMENT ROOT
import { createInterface } from 'node:readline'
import * as decoding from 'lib0/decoding'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const [address, token, name, root] = process.argv.slice(2)
const doc = new Y.Doc()
const provider = new WebsocketProvider(`${address.replace('http', 'ws')}/yjs/-`, name, doc, {
  params: { token, ack: '1' },
  WebSocketPolyfill: WebSocket,
  disableBc: true,
})
const synced = () => new Promise((done) => (provider.synced ? done() : provider.once('sync', done)))
const connected = (wanted) => new Promise((done) => {
  const look = ({ status }) => {
    if (status === wanted) {
      provider.off('status', look)
      done()
    }
  }
  provider.on('status', look)
})
await synced()
const map = doc.getMap(root)

// Alone.
const parted = connected('disconnected')
provider.disconnect()
await parted
console.log(JSON.stringify({ entries: map.size }))
const changes = []
for await (const line of createInterface({ input: process.stdin })) changes.push(JSON.parse(line))
for (const { key, value } of changes) doc.transact(() => map.set(key, value))

// Back: its state goes up as one message, which the node counts once it is durable.
const kept = new Promise((done) => {
  provider.messageHandlers[40] = (_encoder, decoder) => {
    if (decoding.readVarUint(decoder) > 0) done()
  }
})
provider.connect()
await synced()
await kept
console.log(JSON.stringify({ changed: changes.length }))
provider.destroy()
process.exit(0)
