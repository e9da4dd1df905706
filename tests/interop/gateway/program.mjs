// A Yjs program played by a test: commands in as lines of JSON, answers and events out as lines of JSON.
// node program.mjs y-websocket|hocuspocus URL DOCUMENT TOKEN [gc|nogc]
import { createInterface } from 'node:readline'
import { HocuspocusProvider, HocuspocusProviderWebsocket } from '@hocuspocus/provider'
import WebSocket from 'ws'
import { WebsocketProvider } from 'y-websocket'
import * as Y from 'yjs'

const [kind, url, name, token, gc] = process.argv.slice(2)
const doc = new Y.Doc({ gc: gc !== 'nogc' })
const map = doc.getMap('cues.cue')
const say = (event, rest = {}) => console.log(JSON.stringify({ event, ...rest }))
console.warn = (...words) => say('warning', { text: words.join(' ') })

let provider
let socket
if (kind === 'y-websocket') {
  provider = new WebsocketProvider(url, name, doc, {
    params: { token }, WebSocketPolyfill: WebSocket, disableBc: true, connect: false, maxBackoffTime: 200
  })
  provider.on('sync', (synced) => synced && say('synced'))
  provider.on('connection-close', (event) => event && say('closed', { code: event.code, reason: event.reason }))
} else {
  socket = new HocuspocusProviderWebsocket({ url, WebSocketPolyfill: WebSocket, autoConnect: false, delay: 100, minDelay: 50 })
  provider = new HocuspocusProvider({
    name,
    document: doc,
    token,
    websocketProvider: socket,
    onSynced: ({ state }) => state && say('synced'),
    onAuthenticated: ({ scope }) => say('authenticated', { scope }),
    onAuthenticationFailed: ({ reason }) => say('refused', { reason }),
    onUnsyncedChanges: ({ number }) => say('unsynced', { number })
  })
  provider.attach()
  socket.on('close', ({ event }) => say('closed', { code: event.code, reason: event.reason }))
}

const commands = {
  connect: () => (socket ?? provider).connect(),
  disconnect: () => (socket ?? provider).disconnect(),
  // The line is cut: no farewell of any kind.
  cut: () => (socket ? socket.webSocket : provider.ws)?.terminate(),
  set: ({ key, value }) => map.set(key, value),
  // Sent, then cut before anything can be heard back.
  burst: ({ count }) => {
    for (let at = 0; at < count; at++) map.set(`burst/${at}`, at)
    ;(socket ?? provider).disconnect()
  },
  get: () => say('values', { values: map.toJSON() }),
  presence: ({ state }) => provider.awareness.setLocalState(state),
  here: () => say('present', { states: Object.fromEntries(provider.awareness.getStates()), own: doc.clientID }),
  resync: () => provider.forceSync(),
  exit: () => process.exit(0)
}
let awaited
const check = () => {
  if (awaited && Object.entries(awaited).every(([key, value]) => map.get(key) === value)) {
    awaited = undefined
    say('arrived')
  }
}
map.observe(check)
commands.until = ({ values }) => {
  awaited = values
  check()
}
let expected
const look = () => {
  const names = [...provider.awareness.getStates().values()].map((state) => state.user?.name ?? null).sort()
  if (expected && JSON.stringify(names) === JSON.stringify(expected)) {
    expected = undefined
    say('seen')
  }
}
provider.awareness.on('change', look)
commands.names = ({ names }) => {
  expected = [...names].sort()
  look()
}
createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line)
  commands[command.do](command)
})
say('started', { client: doc.clientID })
