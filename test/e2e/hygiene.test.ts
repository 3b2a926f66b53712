import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Origin, startOrigin } from '../support/origin.ts'
import { applyGateway, putGatewaySecret } from './support/gateway.ts'
import { openHosts } from './support/hosts.ts'

/**
 * What is refused of messages that are malformed, or that two readers could understand differently: docs/hygiene.md.
 * Written to the socket byte by byte, as no client would send them. On self-host only: `wrangler dev` puts a proxy of
 * its own in front.
 */
const hosts = (await openHosts('hygiene')).filter(({ kind }) => kind === 'start')

const VECTORS = join(import.meta.dirname, '../../../shared/vectors/http/h1-llhttp.json')
interface Vector {
  readonly id: string
  readonly raw_b64: string
  readonly strict_parser: 'accept' | 'reject'
}
const malformed: readonly Vector[] = existsSync(VECTORS)
  ? (JSON.parse(readFileSync(VECTORS, 'utf8')).vectors as Vector[]).filter(
      each => each.strict_parser === 'reject',
    )
  : []

const BARE_LF = 'RFC 9112 section 2.2 lets a line end with LF alone; headers are parsed when they get here'
const CHUNKED = 'Transfer-Encoding: chunked'
const SIGNED = `X-Hub-Signature-256: sha256=${'0'.repeat(64)}`
const EXTENSIONS = 'extensions of chunks are skipped; the length before them is clear'

/** What a strict parser refuses and workerd doesn't, and why that is no harm. */
const TOLERATED: Readonly<Record<string, { readonly statuses: readonly number[]; readonly why: string }>> = {
  'connection:No restart when keep-alive is off (1.0)': {
    statuses: [200],
    why: 'the connection ends after the first request; what follows is never read',
  },
  'connection:CRLF between requests, implicit `keep-alive`': {
    statuses: [200, 400],
    why: 'the first request is well formed, and the second is refused',
  },
  'invalid:Missing CR between headers': { statuses: [200, 200], why: BARE_LF },
  'transfer-encoding:No extension after semicolon': { statuses: [200], why: EXTENSIONS },
  'transfer-encoding:Space after chunk header': { statuses: [200], why: EXTENSIONS },
}

if (hosts.length === 0) test.skip('needs the host `start`', () => {})

describe.each(hosts)('on $kind', host => {
  const reader = `reader.${host.domain}`
  let origin: Origin

  beforeAll(async () => {
    await host.upload(
      'reader',
      `export default { async fetch(request) {
        const { pathname } = new URL(request.url)
        const text = await request.text()
        return new Response(pathname + ' ' + text.length)
      } }`,
    )
    origin = await startOrigin()
    await putGatewaySecret(host, 'HOOK', 'a secret of a webhook')
    await applyGateway(host, {
      script_hosts: 'all',
      routes: [
        { match: 'upstream.hygiene.example/*', upstream: origin.url },
        { match: 'routed.hygiene.example/*', script: 'reader' },
        { match: 'signed.hygiene.example/*', script: 'reader', use: ['hook'] },
      ],
      policies: { hook: { type: 'hmac', provider: 'github', secret: 'secret:HOOK' } },
    })
    await host.upload('streamer', 'export default { fetch: request => new Response(request.body) }')
  })

  afterAll(() => origin?.stop())

  describe.skipIf(malformed.length === 0)('a malformed request (no vectors: skipped)', () => {
    test.each(malformed.map(({ id, raw_b64 }) => [id.replace('llhttp:', ''), raw_b64]))(
      'is refused, and the connection ends: %s',
      async (id, raw) => {
        const answers = await talk(host.port, aimAt(Buffer.from(raw, 'base64').toString('latin1'), reader))
        const tolerated = TOLERATED[id]
        const statuses = tolerated?.statuses ?? answers.statuses.map(status => (status === 501 ? 501 : 400))
        expect(answers.statuses, answers.text).toEqual(statuses)
        expect(answers.text).not.toMatch(/ERR_INTERNAL|ERR_FUNCTION/)
      },
    )

    test('is one of those that the vectors have', () => {
      const ids = malformed.map(({ id }) => id.replace('llhttp:', ''))
      expect(Object.keys(TOLERATED).filter(id => !ids.includes(id))).toEqual([])
      expect(ids.length).toBeGreaterThan(45)
    })
  })

  describe('a chunked body that breaks', () => {
    test.each([
      ['by a length that is no number', '3\r\nabc\r\nzz\r\n'],
      ['by a length beyond 64 bits', '10000000000000003\r\nabc\r\n0\r\n\r\n'],
      ['by a length below zero', '-3\r\nabc\r\n0\r\n\r\n'],
      ['by text after a length', '3 x\r\nabc\r\n0\r\n\r\n'],
      ['by a chunk that is longer than it says', '3\r\nabcd\r\n0\r\n\r\n'],
      ['by lines that end with LF alone', '3\nabc\n0\n\n'],
      ['without a last chunk', '3\r\nabc\r\n'],
      ['in the middle of a chunk', '5\r\nabc'],
    ])('%s is the fault of who sent it, and never looks whole', async (_what, body) => {
      const { statuses, text } = await post(host.port, reader, CHUNKED, body)
      expect([statuses, codeIn(text)]).toEqual([[400], 'ERR_BAD_REQUEST'])
    })

    test.each([
      ['by an upstream', 'upstream'],
      ['by a policy', 'signed'],
      ['by the function of a route', 'routed'],
    ])('is refused where it is read %s, too', async (_what, name) => {
      const { statuses, text } = await post(
        host.port,
        `${name}.hygiene.example`,
        `${CHUNKED}\r\n${SIGNED}`,
        '3\r\nabc\r\nzz\r\n',
      )
      expect([statuses, codeIn(text)]).toEqual([[400], 'ERR_BAD_REQUEST'])
    })

    test('after the answer has begun breaks the answer off', async () => {
      const { text } = await post(host.port, `streamer.${host.domain}`, CHUNKED, '3\r\nabc\r\nzz\r\n')
      expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
    })

    test('leaves a stored value as it was', async () => {
      const made = await host.api<{ id: string }>('POST', '$A/storage/kv/namespaces', { title: 'hygiene' })
      const path = `/accounts/${host.accountId}/storage/kv/namespaces/${made.result.id}/values/key`
      const put = (body: string) =>
        talk(
          host.port,
          `PUT /client/v4${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${host.token}\r\n` +
            `Transfer-Encoding: chunked\r\n\r\n${body}`,
        )
      expect((await put('5\r\nwhole\r\n0\r\n\r\n')).statuses).toEqual([200])
      expect((await put('3\r\nabc\r\nzz\r\n')).statuses).toEqual([400])
      const headers = { authorization: `Bearer ${host.token}` }
      expect(await (await host.fetch('localhost', `/client/v4${path}`, { headers })).text()).toBe('whole')
    })
  })

  describe('a body whose length is said twice, or not clearly, is refused:', () => {
    test.each([
      ['two lengths', 'Content-Length: 3\r\nContent-Length: 4'],
      ['a list of lengths', 'Content-Length: 3, 3'],
      ['a length with a sign', 'Content-Length: +3'],
      ['a length in hexadecimal', 'Content-Length: 0x3'],
      ['a length beyond 64 bits', 'Content-Length: 18446744073709551619'],
      ['a coding before chunked', 'Transfer-Encoding: gzip, chunked'],
      ['chunked twice', 'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked'],
      ['something like chunked', 'Transfer-Encoding: xchunked'],
      ['a control character before chunked', 'Transfer-Encoding: \x0bchunked'],
      ['a space before the colon', 'Transfer-Encoding : chunked'],
    ])('%s', async (_what, header) => {
      expect((await post(host.port, reader, header, '3\r\nabc\r\n0\r\n\r\n')).statuses[0]).toBe(400)
    })

    test('a length and chunks are the chunks, and the connection ends', async () => {
      const header = 'Content-Length: 3\r\nTransfer-Encoding: chunked'
      const next = `GET /smuggled HTTP/1.1\r\nHost: ${reader}\r\n\r\n`
      const { statuses, text } = await post(host.port, reader, header, `4\r\nabcd\r\n0\r\n\r\n${next}`)
      expect(statuses).toEqual([200])
      expect(text).toMatch(/\/x 4$/)
    })

    test.each(['GET', 'HEAD'])('chunks in a %s', async method => {
      const raw = `${method} /x HTTP/1.1\r\nHost: ${reader}\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n`
      expect((await talk(host.port, raw)).statuses).toEqual([400])
    })

    test('but a GET may have a body of an announced length', async () => {
      const raw = `GET /x HTTP/1.1\r\nHost: ${reader}\r\nContent-Length: 3\r\n\r\nabc`
      expect((await talk(host.port, raw)).text).toMatch(/\/x 3$/)
    })
  })

  describe('the header Host', () => {
    test.each([
      ['absent', []],
      ['empty', ['']],
      ['there twice', [reader, reader]],
      ['of two hosts', [reader, `streamer.${host.domain}`]],
      ['of two hosts in one', [`${reader}, streamer.${host.domain}`]],
      ['with a user', [`a@${reader}`]],
      ['with a user and a password', [`a:b@${reader}`]],
      ['with a query', [`${reader}?a`]],
      ['with a fragment', [`${reader}#a`]],
      ['with a backslash', [`${reader}\\a`]],
      ['with a space', [`${reader} a`]],
      ['with an escape', [reader.replace('e', '%65')]],
      ['beyond ASCII', [`é${reader}`]],
      ['with a port that is none', [`${reader}:80a`]],
      ['with a port beyond 65,535', [`${reader}:65536`]],
      ['with two ports', [`${reader}:80:80`]],
      ['with an empty label', [`.${reader}`]],
      ['of an IPv6 address with a zone', ['[fe80::1%25eth0]']],
      ['of an IPv6 address that is not closed', ['[::1']],
    ])('is refused when it is %s', async (_what, values) => {
      const lines = values.map(value => `Host: ${Buffer.from(value).toString('latin1')}\r\n`).join('')
      const { statuses } = await talk(host.port, `GET /x HTTP/1.1\r\n${lines}\r\n`)
      expect(statuses).toEqual([400])
    })

    test.each([
      // By GET it looks like a longer path, to the function as to the platform.
      ['GET', 200],
      ['POST', 400],
    ])('with a path, in a %s to a function: %i', async (method, status) => {
      const raw = `${method} /x HTTP/1.1\r\nHost: ${reader}/admin\r\nContent-Length: 0\r\n\r\n`
      const { statuses, text } = await talk(host.port, raw)
      expect(statuses).toEqual([status])
      if (status === 200) expect(text).toContain('/admin/x')
    })

    test('with a path, on a host with routes or of the platform is refused', async () => {
      for (const name of ['signed.hygiene.example', 'localhost']) {
        const { statuses } = await talk(host.port, `GET /x HTTP/1.1\r\nHost: ${name}/admin\r\n\r\n`)
        expect([name, statuses]).toEqual([name, [400]])
      }
    })

    test.each([
      ['in upper case', reader.toUpperCase()],
      ['with a dot at its end', `${reader}.`],
      ['with a port', `${reader}:8080`],
      ['with an empty port', `${reader}:`],
    ])('may be %s', async (_what, value) => {
      expect((await talk(host.port, `GET /x HTTP/1.1\r\nHost: ${value}\r\n\r\n`)).statuses).toEqual([200])
    })

    test('says where a request goes whose target is absolute', async () => {
      const raw = `GET http://nowhere.test/x HTTP/1.1\r\nHost: ${reader}\r\n\r\n`
      expect((await talk(host.port, raw)).text).toMatch(/\/x 0$/)
    })
  })

  describe('a target', () => {
    test.each([
      ['"*" of OPTIONS is answered', 'OPTIONS *', [204]],
      ['"*" of anything else is refused', 'GET *', [400]],
      ['without a slash that would make another host is refused', 'GET .evil.test/x', [400]],
      ['that begins with a user is refused', 'GET @evil.test/x', [400]],
      ['without a host in it is refused', 'GET http:///x', [400]],
      ['of CONNECT is refused', `CONNECT ${reader}:80`, [500]],
    ])('%s', async (_what, line, statuses) => {
      const { statuses: got } = await talk(host.port, `${line} HTTP/1.1\r\nHost: ${reader}\r\n\r\n`)
      expect(got).toEqual(statuses)
    })
  })
})

/** The same request to one of our hosts: some vectors name another or none. Heads that break off are completed. */
function aimAt(raw: string, hostName: string): string {
  const end = raw.search(/\r\n|\n|\r/)
  if (/^host:/im.test(raw)) return raw.replace(/^(host:[ ]*)[^\r\n]*/gim, `$1${hostName}`)
  const aimed = end < 0 ? raw : `${raw.slice(0, end)}\r\nHost: ${hostName}${raw.slice(end)}`
  return /\r\n\r|\n\n/.test(aimed) ? aimed : `${aimed}\r\n`
}

function post(port: number, hostName: string, header: string, body: string) {
  return talk(port, `POST /x HTTP/1.1\r\nHost: ${hostName}\r\n${header}\r\n\r\n${body}`)
}

/** Sends bytes, and nothing more; all that comes back until the connection ends. */
async function talk(port: number, raw: string): Promise<{ text: string; statuses: number[] }> {
  const socket = connect({ port, host: '127.0.0.1' })
  let text = ''
  socket.on('data', piece => {
    text += piece.toString('latin1')
  })
  // A server that refuses without reading all resets the connection.
  socket.on('error', () => {})
  socket.end(Buffer.from(raw, 'latin1'))
  await once(socket, 'close')
  return { text, statuses: [...text.matchAll(/HTTP\/1\.[01] (\d{3}) /g)].map(([, status]) => Number(status)) }
}

const codeIn = (text: string): string | undefined => /"code":"(\w+)"/.exec(text)?.[1]
