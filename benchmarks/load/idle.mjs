// node idle.mjs URL COUNT: opens COUNT synced connections, prints "ready", keeps them until its input ends.
import { connect } from './socket.mjs'
import { STEP1_OF_NOTHING, STEP2_OF_NOTHING } from './yjs.mjs'

const [url, count] = process.argv.slice(2)
let ready = 0
for (let at = 0; at < Number(count); at++) {
  await connect(url, {
    onMessage (message, self) {
      if (message[0] === 0 && message[1] === 0) {
        self.send(STEP1_OF_NOTHING)
        self.send(STEP2_OF_NOTHING)
      } else if (message[0] === 0 && message[1] === 1 && ++ready === Number(count)) console.log('ready')
    }
  })
}
process.stdin.on('end', () => process.exit(0))
process.stdin.resume()
