import { createHash } from 'node:crypto'
import { request as send } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

/** What is asked of a deployed Worker, and what it must answer. */
export interface Check {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly expect: Expectation
  /** Keeps the first group of a pattern in the answer for `{{NAME}}` in later checks. */
  readonly capture?: Readonly<Record<string, { re: string; from?: 'header'; name?: string }>>
  /** Opens a WebSocket, sends, and collects what comes until there are so many messages. */
  readonly websocket?: { path: string; send?: string[]; until?: number; ms?: number }
  readonly trigger_cron?: string
  readonly wait_ms?: number
  readonly wait_before_ms?: number
}

interface Expectation {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  readonly body_sha256?: string
  readonly body_contains?: readonly string[]
  readonly volatile?: readonly string[]
}

/** How many of a Worker's checks passed, and what is wrong with the others. */
export interface Verdict {
  readonly passed: number
  readonly of: number
  readonly failures: readonly string[]
}

interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly body: Buffer
}

/** Headers that a server may add or leave out without a Worker's doing. */
const LENIENT = new Set(['etag', 'vary', 'cache-control', 'accept-ranges', 'link'])

/** Runs a Worker's checks one after the other; `host` is its name at the platform's port. */
export async function runChecks(checks: readonly Check[], host: string, port: number): Promise<Verdict> {
  const captured: Record<string, string> = { ORIGIN: `http://${host}`, HOST: host, PORT: String(port) }
  const fill = (text: string) => text.replace(/\{\{(\w+)\}\}/g, (whole, name) => captured[name] ?? whole)
  const anonymous = (text: string) =>
    text.replaceAll(host, '{{HOST}}').replaceAll(`127.0.0.1:${port}`, '{{HOST}}')
  const failures: string[] = []
  let of = 0
  for (const [index, check] of checks.entries()) {
    await delay(check.wait_ms ?? check.wait_before_ms ?? 0)
    // Crons fire by themselves here: nobody can be asked to.
    if (check.wait_ms !== undefined || check.trigger_cron !== undefined) continue
    of += 1
    const answer = check.websocket
      ? await converse(check.websocket, host, port)
      : await ask(check, host, port, fill)
    const text = answer.body.toString()
    for (const [name, { re, from, name: field = '' }] of Object.entries(check.capture ?? {})) {
      const found = new RegExp(re).exec(from === 'header' ? String(answer.headers[field] ?? '') : text)?.[1]
      if (found !== undefined) captured[name] = found
    }
    const faults = compare(check.expect, answer, anonymous)
    if (faults.length > 0)
      failures.push(`${index} ${check.method ?? ''} ${check.path ?? ''}: ${faults.join('; ')}`)
  }
  return { passed: of - failures.length, of, failures }
}

function compare(expected: Expectation, answer: Answer, anonymous: (text: string) => string): string[] {
  const text = anonymous(answer.body.toString())
  const faults: string[] = []
  const isBinary = !Buffer.from(answer.body.toString()).equals(answer.body)
  if (expected.status !== answer.status && !expected.volatile?.includes('status')) {
    faults.push(`status ${answer.status}, not ${expected.status}`)
  }
  for (const [name, value] of Object.entries(expected.headers ?? {})) {
    const own = answer.headers[name]
    const seen = own === undefined ? undefined : anonymous([own].flat().join(' | '))
    if (seen !== value && !LENIENT.has(name)) faults.push(`${name}: ${seen}, not ${value}`)
  }
  if (expected.body !== undefined && text !== anonymous(expected.body)) {
    faults.push(
      `body ${JSON.stringify(text.slice(0, 200))}, not ${JSON.stringify(expected.body.slice(0, 200))}`,
    )
  }
  if (expected.body === undefined && expected.body_sha256 !== undefined) {
    const digest = createHash('sha256')
      .update(isBinary ? answer.body : text)
      .digest('hex')
    if (digest !== expected.body_sha256) faults.push(`another body, of ${text.length} characters`)
  }
  for (const part of expected.body_contains ?? []) {
    if (!text.includes(part))
      faults.push(`no ${JSON.stringify(part)} in ${JSON.stringify(text.slice(0, 200))}`)
  }
  return faults
}

function ask(check: Check, host: string, port: number, fill: (text: string) => string): Promise<Answer> {
  const { body } = check
  const isJson = body !== undefined && typeof body !== 'string'
  const headers: Record<string, string> = { host, 'accept-encoding': 'identity' }
  for (const [name, value] of Object.entries(check.headers ?? {})) headers[name.toLowerCase()] = fill(value)
  const bytes =
    body === undefined ? undefined : Buffer.from(fill(isJson ? JSON.stringify(body) : String(body)))
  if (isJson) headers['content-type'] ??= 'application/json'
  if (bytes) headers['content-length'] = String(bytes.length)
  const options = {
    host: '127.0.0.1',
    port,
    method: check.method ?? 'GET',
    path: fill(check.path ?? '/'),
    headers,
  }
  return new Promise(resolve => {
    const failed = (error: Error) => resolve({ status: 0, headers: {}, body: Buffer.from(String(error)) })
    const request = send(options, incoming => {
      const chunks: Buffer[] = []
      incoming.on('data', chunk => chunks.push(chunk))
      incoming.on('error', failed)
      incoming.on('end', () =>
        resolve({ status: incoming.statusCode ?? 0, headers: incoming.headers, body: Buffer.concat(chunks) }),
      )
    })
    request.on('error', failed)
    request.setTimeout(20_000, () => request.destroy(new Error('no answer within 20 s')))
    request.end(bytes)
  })
}

/** Node's WebSocket takes no Host header, and `*.localhost` doesn't resolve for it: frames by hand, short texts only. */
function converse(
  { path, send: texts = [], until = Number.POSITIVE_INFINITY, ms = 3000 }: NonNullable<Check['websocket']>,
  host: string,
  port: number,
): Promise<Answer> {
  const key = Buffer.from('0123456789abcdef').toString('base64')
  const headers = {
    host,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-key': key,
    'sec-websocket-version': '13',
  }
  return new Promise(resolve => {
    const got: string[] = []
    const request = send({ host: '127.0.0.1', port, path, headers })
    const finish = (status: number) => {
      clearTimeout(timer)
      request.destroy()
      resolve({ status, headers: {}, body: Buffer.from(JSON.stringify(got)) })
    }
    const timer = setTimeout(() => finish(101), ms)
    request.on('error', () => finish(0))
    request.on('response', ({ statusCode = 0 }) => finish(statusCode))
    request.on('upgrade', (_, socket, head) => {
      let pending: Buffer = head
      const read = (chunk: Buffer) => {
        pending = Buffer.concat([pending, chunk])
        for (let frame = readFrame(pending); frame; frame = readFrame(pending)) {
          pending = frame.rest
          if (frame.isText) got.push(frame.text)
        }
        if (got.length >= until) finish(101)
      }
      socket.on('data', read)
      socket.on('error', () => finish(101))
      for (const text of texts) socket.write(toFrame(text))
      read(Buffer.alloc(0))
    })
    request.end()
  })
}

/** A masked text frame, its mask zeros. */
function toFrame(text: string): Buffer {
  const bytes = Buffer.from(text)
  const length =
    bytes.length < 126 ? [0x80 | bytes.length] : [0x80 | 126, bytes.length >> 8, bytes.length & 255]
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), bytes])
}

function readFrame(bytes: Buffer): { isText: boolean; text: string; rest: Buffer } | undefined {
  const [first, second] = bytes
  if (first === undefined || second === undefined) return undefined
  const isLong = second === 126
  if (isLong && bytes.length < 4) return undefined
  const start = isLong ? 4 : 2
  const end = start + (isLong ? bytes.readUInt16BE(2) : second)
  if (bytes.length < end) return undefined
  return { isText: (first & 15) === 1, text: bytes.toString('utf8', start, end), rest: bytes.subarray(end) }
}
