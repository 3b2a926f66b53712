import { once } from 'node:events'
import { request } from 'node:http'
import { connect, type Socket } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import { toUploadForm } from '../support/client.ts'
import type { Answer } from './caller.ts'
import type { Target } from './case.ts'

const GIVE_UP_MS = 8000

/** Runs the script's `scheduled()`, as the clock would. */
export async function runCron({ arena: { hostile }, script }: Target): Promise<Answer> {
  const startedAtMs = performance.now()
  const path = `/accounts/${hostile.accountId}/scripts/${script}/cron`
  const { status, body } = await hostile.v1<{ code?: string }>('POST', path, { cron: '* * * * *' })
  return { got: `${status} ${body.code ?? JSON.stringify(body)}`, ms: performance.now() - startedAtMs }
}

/** Opens a WebSocket and sends a message; the answer is how the socket ends. */
export async function openSocketAndSend({ arena: { hostile }, script }: Target): Promise<Answer> {
  const headers = {
    ...{ host: `${script}.${hostile.domain}:${hostile.port}`, connection: 'Upgrade', upgrade: 'websocket' },
    ...{ 'sec-websocket-version': '13', 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==' },
  }
  const outgoing = request({ host: '127.0.0.1', port: hostile.port, headers, agent: false })
  outgoing.end()
  const [, socket] = (await once(outgoing, 'upgrade')) as [unknown, Socket]
  const startedAtMs = performance.now()
  // A text frame "go", masked with zeros.
  socket.write(Uint8Array.of(0x81, 0x82, 0, 0, 0, 0, 0x67, 0x6f))
  socket.on('error', () => {})
  socket.resume()
  const signal = AbortSignal.timeout(GIVE_UP_MS)
  const got = await once(socket, 'close', { signal }).then(
    () => 'closed',
    () => 'still open',
  )
  socket.destroy()
  return { got, ms: performance.now() - startedAtMs }
}

/** Reads a response for two seconds, then goes away. */
export async function readForAWhile({ arena: { hostile }, script }: Target): Promise<Answer> {
  const startedAtMs = performance.now()
  const response = await hostile.call(script)
  let bytes = 0
  for await (const chunk of response.body as ReadableStream<Uint8Array>) {
    bytes += chunk.byteLength
    // It is the function that is tried, not this machine's loopback.
    await delay(1)
    if (performance.now() > startedAtMs + READ_MS) break
  }
  const got = bytes > 1_000_000 ? 'more than a megabyte' : `${bytes} bytes`
  return { got: `${response.status}, ${got}`, ms: performance.now() - startedAtMs }
}

const READ_MS = 2000
const APART_MS = 40

/** Sends a request whose head is 1 MB long. */
export async function sendHugeHeader({ arena: { hostile }, script }: Target): Promise<Answer> {
  const startedAtMs = performance.now()
  const socket = connect(hostile.port, '127.0.0.1')
  let answer = ''
  socket.setEncoding('utf8').on('data', (text: string) => {
    answer += text
  })
  // The answer may come, and the connection break, while we are sending.
  socket.on('error', () => {})
  socket.write(`GET / HTTP/1.1\r\nhost: ${script}.${hostile.domain}\r\nconnection: close\r\nx-big: `)
  socket.end(`${'x'.repeat(1024 * 1024)}\r\n\r\n`)
  await once(socket, 'close', { signal: AbortSignal.timeout(GIVE_UP_MS) }).catch(() => {})
  const [, status, body = ''] = /^HTTP\/1\.1 (\d+)[\s\S]*?\r\n\r\n([\s\S]*)$/.exec(answer) ?? []
  return { got: status ? `${status} ${body.slice(0, 60)}` : 'broken', ms: performance.now() - startedAtMs }
}

/** Uploads a version that loops at its top level, then calls the function. Not by wrangler: it profiles what failed. */
export async function uploadLoop({ arena: { hostile }, script, get }: Target): Promise<Answer> {
  const startedAtMs = performance.now()
  const form = toUploadForm('for (;;);\nexport default { fetch() {} }')
  const { success, errors } = await hostile.api('PUT', `$A/workers/scripts/${script}`, form)
  const ms = performance.now() - startedAtMs
  const isRefused = !success && /exceeded CPU time limit/.test(errors[0]?.message ?? '')
  const { got } = await get()
  return { got: `${isRefused ? 'refused' : JSON.stringify(errors)}; ${got}`, ms }
}

/**
 * So many calls, each over a connection of its own and a moment after the one before: it finds the edges that are not
 * busy yet. The answer has all that differ.
 */
export async function callEveryEdge(calls: number, get: Target['get']): Promise<Answer> {
  const answers = await Promise.all(
    Array.from({ length: calls }, (_, i) => delay(i * APART_MS).then(() => get())),
  )
  const got = [...new Set(answers.map(answer => answer.got))].sort().join(', ')
  return { got, ms: Math.max(...answers.map(({ ms }) => ms)) }
}
