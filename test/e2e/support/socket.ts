import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { request } from 'node:http'
import type { Socket } from 'node:net'

/** The client's end of a WebSocket. */
export interface ClientSocket {
  send(message: string | Uint8Array): void
  /** The next message; at most one is waited for at a time. */
  next(): Promise<string | Uint8Array>
  /** Resolves when the connection has ended; what comes before is dropped. */
  ended(): Promise<void>
  close(): void
}

const TEXT = 1
const BINARY = 2
const CLOSE = 8

/**
 * Opens a WebSocket under a host name that needs not resolve, which the built-in client can't. Messages of at most
 * 125 bytes, in one frame each: enough to see that they get through.
 */
export async function openSocket(port: number, host: string, path: string): Promise<ClientSocket> {
  const headers = {
    ...{ host: `${host}:${port}`, connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': randomBytes(16).toString('base64') },
  }
  const outgoing = request({ host: '127.0.0.1', port, path, headers, agent: false })
  outgoing.on('response', response => outgoing.destroy(new Error(`answered ${response.statusCode}, not 101`)))
  outgoing.end()
  const [, socket, head] = (await once(outgoing, 'upgrade')) as [unknown, Socket, Buffer]

  let buffered = head
  const read = async (): Promise<string | Uint8Array> => {
    for (;;) {
      const length = (buffered[1] ?? 0) & 0x7f
      if (buffered.byteLength >= 2 && buffered.byteLength >= 2 + length) {
        const opcode = (buffered[0] ?? 0) & 0x0f
        const payload = buffered.subarray(2, 2 + length)
        buffered = buffered.subarray(2 + length)
        return opcode === TEXT ? payload.toString() : Uint8Array.from(payload)
      }
      const [chunk] = (await once(socket, 'data')) as [Buffer]
      buffered = Buffer.concat([buffered, chunk])
    }
  }
  const write = (opcode: number, payload: Buffer) => {
    const mask = randomBytes(4)
    const masked = payload.map((byte, at) => byte ^ (mask[at % 4] ?? 0))
    socket.write(Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | payload.byteLength), mask, masked]))
  }
  return {
    next: read,
    ended: async () => {
      const closed = once(socket, 'close')
      if (!socket.resume().closed) await closed
    },
    send: message => write(typeof message === 'string' ? TEXT : BINARY, Buffer.from(message as string)),
    close: () => {
      write(CLOSE, Buffer.of(0x03, 0xe8))
      socket.end()
    },
  }
}
