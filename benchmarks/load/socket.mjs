// A WebSocket client with as little between the socket and the count as possible: one process plays 50 programs and
// must not be what is measured. Only what the benchmark needs: binary messages, close frames, no fragmentation.
import { createHash, randomBytes } from 'node:crypto'
import net from 'node:net'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'

/** Resolves to a socket once the handshake is done. `onMessage(payload: Buffer)`, `onClose(code, reason)`. */
export function connect (url, { onMessage, onClose = () => {} }) {
  const { hostname, port, pathname, search } = new URL(url)
  const key = randomBytes(16).toString('base64')
  return new Promise((resolve, reject) => {
    const tcp = net.connect(Number(port), hostname)
    tcp.setNoDelay(true)
    const socket = new Socket(tcp)
    let held = Buffer.alloc(0)
    let open = false
    let closed = [1006, '']
    tcp.on('connect', () => tcp.write(
      `GET ${pathname}${search} HTTP/1.1\r\nHost: ${hostname}:${port}\r\nUpgrade: websocket\r\n` +
      `Connection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`))
    tcp.on('error', reject)
    tcp.on('close', () => onClose(...closed))
    tcp.on('data', (chunk) => {
      held = held.length ? Buffer.concat([held, chunk]) : chunk
      if (!open) {
        const end = held.indexOf('\r\n\r\n')
        if (end < 0) return
        const head = held.toString('latin1', 0, end)
        const accept = createHash('sha1').update(key + GUID).digest('base64')
        if (!head.startsWith('HTTP/1.1 101') || !head.includes(accept)) {
          reject(new Error(head.split('\r\n')[0]))
          tcp.destroy()
          return
        }
        held = held.subarray(end + 4)
        open = true
        resolve(socket)
        // What came with the handshake is handled once the caller has the socket.
        setImmediate(drain)
        return
      }
      drain()
    })
    function drain () {
      let at = 0
      while (held.length - at >= 2) {
        let length = held[at + 1] & 127
        let start = at + 2
        if (length === 126) {
          if (held.length < at + 4) break
          length = held.readUInt16BE(at + 2)
          start = at + 4
        } else if (length === 127) {
          if (held.length < at + 10) break
          length = Number(held.readBigUInt64BE(at + 2))
          start = at + 10
        }
        if (held.length < start + length) break
        const opcode = held[at] & 15
        const payload = held.subarray(start, start + length)
        at = start + length
        if (opcode === 2) onMessage(payload, socket)
        else if (opcode === 9) socket.frame(10, payload)
        else if (opcode === 8) {
          closed = length >= 2 ? [payload.readUInt16BE(0), payload.toString('utf8', 2)] : [1005, '']
          tcp.end()
        }
      }
      held = at ? held.subarray(at) : held
    }
  })
}

class Socket {
  constructor (tcp) {
    this.tcp = tcp
  }

  /** Masked with zeros: allowed, and nothing to compute. */
  frame (opcode, payload) {
    const length = payload.length
    const head = length < 126 ? 6 : length < 65536 ? 8 : 14
    const out = Buffer.alloc(head + length)
    out[0] = 128 | opcode
    if (length < 126) out[1] = 128 | length
    else if (length < 65536) {
      out[1] = 128 | 126
      out.writeUInt16BE(length, 2)
    } else {
      out[1] = 128 | 127
      out.writeBigUInt64BE(BigInt(length), 2)
    }
    out.set(payload, head)
    this.tcp.write(out)
  }

  send (payload) {
    this.frame(2, payload)
  }

  close () {
    this.frame(8, Buffer.from([3, 232]))
  }

  destroy () {
    this.tcp.destroy()
  }
}
