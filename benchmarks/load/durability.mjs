// node durability.mjs received URL NAME COUNT   burst, prints once a second program has all of it; then stays
// node durability.mjs leave URL NAME COUNT      burst and close at once
// node durability.mjs count URL NAME COUNT      prints how many of that burst the node holds (waits 10 s at most)
import { connect } from './socket.mjs'
import { STEP1_OF_NOTHING, STEP2_OF_NOTHING, syncMessage, syncPayload, Y } from './yjs.mjs'

const [mode, url, name, count] = process.argv.slice(2)
const wanted = Number(count)

/** Resolves once synced. `changed(map)` is called after everything that comes in. */
function program (changed = () => {}) {
  const doc = new Y.Doc()
  const map = doc.getMap('cues.cue')
  return new Promise((resolve, reject) => {
    connect(url, {
      onMessage (message, self) {
        if (message[0] !== 0) return
        if (message[1] === 0) {
          self.send(STEP1_OF_NOTHING)
          self.send(STEP2_OF_NOTHING)
          return
        }
        Y.applyUpdate(doc, syncPayload(message), 'node')
        if (message[1] === 1) {
          doc.on('update', (update, origin) => origin === 'node' || self.send(syncMessage(2, update)))
          resolve({ doc, map, socket: self })
        }
        changed(map)
      }
    }).catch(reject)
  })
}
const held = (map) => [...map.keys()].filter((key) => key.startsWith(name + '_')).length
const burst = ({ map }) => {
  for (let at = 0; at < wanted; at++) map.set(`${name}_${at}/start`, `10:${at}`)
}

if (mode === 'received') {
  const writer = await program()
  await program((map) => held(map) === wanted && console.log('received'))
  burst(writer)
} else if (mode === 'leave') {
  const writer = await program()
  burst(writer)
  writer.socket.close()
} else {
  let best = 0
  const finish = () => {
    console.log(best)
    process.exit(0)
  }
  setTimeout(finish, 10_000)
  await program((map) => {
    best = held(map)
    if (best === wanted) finish()
  })
}
