// A provider that knows when everything it has sent is durable: `await provider.saved()`.
import { WebsocketProvider } from 'y-websocket'
import WebSocket from 'ws' // in a browser: leave this line out
import { readVarUint } from 'lib0/decoding'

class CountingSocket extends WebSocket {
  sent = 0 // messages that may carry edits: sync messages (0) other than the question "step 1" (0)
  durable = 0 // how many of them the node says are durable
  send(message) {
    if (message[0] === 0 && message[1] !== 0) this.sent += 1
    super.send(message)
  }
}

export class SavingProvider extends WebsocketProvider {
  constructor(url, document, doc, token) {
    super(url, document, doc, { params: { token, ack: '1' }, WebSocketPolyfill: CountingSocket })
    this.messageHandlers[40] = (_reply, body) => {
      this.ws.durable = readVarUint(body)
      this.emit('saved', [])
    }
  }

  async saved() {
    while (!(this.ws?.sent > 0 && this.ws.durable >= this.ws.sent)) await new Promise((done) => this.once('saved', done))
  }
}
