// node edit_cues.mjs ws://127.0.0.1:8040 WORKSPACE TOKEN [NUMBER]     after: npm install yjs y-websocket ws
import * as Y from 'yjs'
import { WebsocketProvider } from 'y-websocket'
import WebSocket from 'ws'

const [url, workspace, token, number = '901'] = process.argv.slice(2)
const doc = new Y.Doc()
const options = { params: { token }, WebSocketPolyfill: WebSocket }
const node = new WebsocketProvider(`${url}/yjs/${workspace}`, 'cues', doc, options)
await new Promise((done, fail) => { node.once('synced', done); node.once('closed', fail) })

const cues = doc.getMap('cues.cue')
const ids = [...cues.keys()].filter((key) => !key.includes('/') && cues.get(key) === true).sort()
for (const id of ids) console.log(id, ...['list', 'number', 'label'].map((field) => cues.get(`${id}/${field}`)))

if (ids.length > 0) cues.set(`${ids[0]}/label`, 'Changed from JavaScript') // change one

doc.transact(() => { // add one: the cue itself and its fields, together
  const id = `cue_${crypto.randomUUID()}`
  const fields = { list: 'LX', number, label: 'Added from JavaScript' }
  cues.set(id, true)
  for (const field in fields) cues.set(`${id}/${field}`, fields[field])
})
node.destroy()
doc.destroy()
