import { createHmac } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyOfPolicy } from '../../routes/policies/any-of.ts'
import type { Exchange } from '../../routes/policies/exchange.ts'
import { hmacPolicy } from '../../routes/policies/hmac/index.ts'
import { equalBytes, MacVerifier } from '../../routes/policies/hmac/mac.ts'
import { decodeBase64, decodeHex, parseTimestamp } from '../../routes/policies/hmac/scheme.ts'
import { createLocalRecords } from '../../routes/policies/local-records.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import type { RecordService } from '../../routes/policies/services.ts'
import { codeOf, makeExchange, makeTrace, NOW_MS, runPolicy } from './support.ts'

const SECRET = 'It is a secret'
const WHSEC = `whsec_${Buffer.from('twenty-four bytes of key').toString('base64')}`
const BODY = '{"order":1}'
const NOW = Math.floor(NOW_MS / 1000)

const hex = (text: string, key: string | Buffer = SECRET, hash = 'sha256') =>
  createHmac(hash, key).update(text).digest('hex')
const base64 = (text: string, key: string | Buffer = SECRET) =>
  createHmac('sha256', key).update(text).digest('base64')
const make = (options: object) => createPhase(hmacPolicy, options, { name: 'hook' })
const post = (headers: Record<string, string>, body: BodyInit | null = BODY) =>
  new Request('https://hooks.test/in?x=1', { method: 'POST', headers, body })

/** How each provider signs a body at a time. */
const SIGNERS = {
  github: {
    options: { provider: 'github', secret: SECRET },
    sign: (body: string) => ({ 'x-hub-signature-256': `sha256=${hex(body)}` }),
  },
  stripe: {
    options: { provider: 'stripe', secret: SECRET },
    sign: (body: string, t = NOW) => ({ 'stripe-signature': `t=${t},v1=${hex(`${t}.${body}`)},v0=00` }),
  },
  slack: {
    options: { provider: 'slack', secret: SECRET },
    sign: (body: string, t = NOW) => ({
      'x-slack-signature': `v0=${hex(`v0:${t}:${body}`)}`,
      'x-slack-request-timestamp': String(t),
    }),
  },
  'standard-webhooks': {
    options: { provider: 'standard-webhooks', secret: WHSEC },
    sign: (body: string, t = NOW) => ({
      'webhook-id': 'msg_1',
      'webhook-timestamp': String(t),
      'webhook-signature': `v1,${base64(`msg_1.${t}.${body}`, Buffer.from(WHSEC.slice(6), 'base64'))}`,
    }),
  },
  generic: {
    options: {
      provider: 'generic',
      secret: SECRET,
      header: 'X-Signature',
      algorithm: 'sha512',
      prefix: 'v9:',
      content: '{method} {path} {timestamp}.{body}!',
      timestamp_header: 'X-Time',
      timestamp_unit: 'ms',
    },
    sign: (body: string, t = NOW) => ({
      'x-signature': `v9:${hex(`POST /in?x=1 ${t}000.${body}!`, SECRET, 'sha512')}`,
      'x-time': `${t}000`,
    }),
  },
} as const
const PROVIDERS = Object.entries(SIGNERS)
const TIMED = PROVIDERS.filter(([name]) => name !== 'github')

describe('hmac', () => {
  test.each(PROVIDERS)('%s: lets a signed message through, its bytes as they were', async (name, signer) => {
    const phase = make(signer.options)
    const exchange = makeExchange(post({ ...signer.sign(BODY), 'content-type': 'application/json' }))
    let seen: { body: string; type: string | null } | undefined
    const response = await runPolicy(phase, exchange, async ({ request }) => {
      seen = { body: await request.text(), type: request.headers.get('content-type') }
      return new Response('ok')
    })
    expect(response.status).toBe(200)
    expect(seen).toEqual({ body: BODY, type: 'application/json' })
    expect(exchange.identity).toMatchObject({
      type: 'hmac',
      policy: 'hook',
      subject: name === 'generic' ? 'hook' : name,
      claims: { provider: name },
    })
  })

  test.each(PROVIDERS)('%s: refuses a message without a signature', async (_name, { options }) => {
    const response = await runPolicy(make(options), post({}))
    expect(response.status).toBe(401)
    expect(await codeOf(response)).toBe('ERR_SIGNATURE_MISSING')
    expect(response.headers.get('www-authenticate')).toMatch(/^Signature header="/)
  })

  test.each(PROVIDERS)('%s: refuses another body, another secret', async (_name, { options, sign }) => {
    const changed = await runPolicy(make(options), post(sign(BODY), `${BODY} `))
    expect(await codeOf(changed)).toBe('ERR_SIGNATURE_INVALID')
    const secret = options.provider === 'standard-webhooks' ? 'whsec_AAAA' : 'another'
    const other = await runPolicy(make({ ...options, secret }), post(sign(BODY)))
    expect(await codeOf(other)).toBe('ERR_SIGNATURE_INVALID')
  })

  test.each(PROVIDERS)('%s: takes any of several secrets', async (_name, { options, sign }) => {
    const wrong = options.provider === 'standard-webhooks' ? 'whsec_AAAA' : 'another'
    const phase = make({ ...options, secret: [wrong, options.secret] })
    expect((await runPolicy(phase, post(sign(BODY)))).status).toBe(200)
  })

  test.each(TIMED)('%s: takes timestamps up to the tolerance, in both directions', async (_name, signer) => {
    const cases = [
      [-300, 200],
      [-301, 401],
      [300, 200],
      [301, 401],
    ] as const
    for (const [offset, status] of cases) {
      const response = await runPolicy(make(signer.options), post(signer.sign(BODY, NOW + offset)))
      expect([offset, response.status]).toEqual([offset, status])
      if (status === 401) expect(((await response.json()) as { detail: string }).detail).toContain('301 s')
    }
  })

  test.each(TIMED)('%s: refuses a timestamp that was changed', async (name, { options, sign }) => {
    const headers = new Headers(sign(BODY))
    for (const [key, value] of headers) headers.set(key, value.replaceAll(String(NOW), String(NOW + 1)))
    const response = await runPolicy(make(options), post(Object.fromEntries(headers)))
    expect([name, await codeOf(response)]).toEqual([name, 'ERR_SIGNATURE_INVALID'])
  })

  test.each([
    ['github', { 'x-hub-signature-256': hex(BODY) }, 'no prefix'],
    ['github', { 'x-hub-signature-256': `sha1=${hex(BODY)}` }, 'another hash'],
    ['github', { 'x-hub-signature-256': 'sha256=' }, 'nothing'],
    ['github', { 'x-hub-signature-256': `sha256=${hex(BODY).slice(0, 32)}` }, 'half a signature'],
    ['github', { 'x-hub-signature-256': `sha256=${hex(BODY)}, sha256=${hex(BODY)}` }, 'the header twice'],
    ['stripe', { 'stripe-signature': `v1=${hex(`${NOW}.${BODY}`)}` }, 'no timestamp'],
    ['stripe', { 'stripe-signature': `t=${NOW},t=1,v1=${hex(`${NOW}.${BODY}`)}` }, 'two timestamps'],
    ['stripe', { 'stripe-signature': `t=${NOW},v0=${hex(`${NOW}.${BODY}`)}` }, 'only v0'],
    ['stripe', { 'stripe-signature': `t=${NOW}${',v1=00'.repeat(17)}` }, 'too many signatures'],
    ['stripe', { 'stripe-signature': `t=${NOW},v1=${'0'.repeat(5000)}` }, 'a header that is too long'],
    ['slack', { 'x-slack-signature': `v0=${hex(`v0::${BODY}`)}` }, 'no timestamp'],
    [
      'slack',
      { 'x-slack-signature': `v1=${hex(BODY)}`, 'x-slack-request-timestamp': `${NOW}` },
      'another version',
    ],
    ['standard-webhooks', { 'webhook-signature': 'v1,AAAA', 'webhook-timestamp': `${NOW}` }, 'no id'],
    ['standard-webhooks', { 'webhook-signature': 'v1,AAAA', 'webhook-id': 'm' }, 'no timestamp'],
    [
      'standard-webhooks',
      { ...SIGNERS['standard-webhooks'].sign(BODY), 'webhook-signature': 'v1a,AAAA' },
      'only asymmetric',
    ],
    ['generic', { 'x-signature': hex(BODY), 'x-time': `${NOW}000` }, 'no prefix'],
    ['generic', { 'x-signature': `v9:${hex(BODY)}`, 'x-time': `${NOW}` }, 'seconds for milliseconds'],
  ] as [keyof typeof SIGNERS, Record<string, string>, string][])(
    '%s: refuses %j: %s',
    async (name, headers) => {
      const response = await runPolicy(make(SIGNERS[name].options), post(headers))
      expect(response.status).toBe(401)
      expect(await codeOf(response)).toBe('ERR_SIGNATURE_INVALID')
    },
  )

  test('standard-webhooks: takes the right one of several signatures, and passes v1a over', async () => {
    const { options, sign } = SIGNERS['standard-webhooks']
    const headers = sign(BODY)
    const several = `v1a,AAAA v1,${Buffer.alloc(32).toString('base64')} ${headers['webhook-signature']}`
    const response = await runPolicy(make(options), post({ ...headers, 'webhook-signature': several }))
    expect(response.status).toBe(200)
  })

  test('stripe: takes the right one of several v1', async () => {
    const { options, sign } = SIGNERS.stripe
    const several = sign(BODY)['stripe-signature'].replace('v1=', `v1=${'0'.repeat(64)},v1=`)
    expect((await runPolicy(make(options), post({ 'stripe-signature': several }))).status).toBe(200)
  })

  test('verifies a message without a body as one of no bytes', async () => {
    const headers = { 'x-hub-signature-256': `sha256=${hex('')}` }
    const request = new Request('https://hooks.test/', { headers })
    expect((await runPolicy(make(SIGNERS.github.options), request)).status).toBe(200)
  })

  test('passes bytes on that are no text', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)
    const signature = createHmac('sha256', SECRET).update(bytes).digest('hex')
    const request = post({ 'x-hub-signature-256': `sha256=${signature}` }, bytes)
    let seen: Uint8Array | undefined
    await runPolicy(make(SIGNERS.github.options), request, async ({ request }) => {
      seen = new Uint8Array(await request.arrayBuffer())
      return new Response()
    })
    expect(seen).toEqual(bytes)
  })
})

describe('hmac, the length of the body', () => {
  const phase = make({ ...SIGNERS.github.options, max_body_bytes: 11 })
  const signed = (body: BodyInit, text: string, more: Record<string, string> = {}) =>
    new Request('https://hooks.test/', {
      method: 'POST',
      headers: { ...SIGNERS.github.sign(text), ...more },
      body,
      duplex: 'half',
    } as RequestInit)
  const stream = (...chunks: string[]) =>
    new ReadableStream({
      start(controller) {
        for (const chunk of chunks) controller.enqueue(new TextEncoder().encode(chunk))
        controller.close()
      },
    })

  test.each([
    ['at the limit', () => signed(BODY, BODY), 200],
    ['one byte more', () => signed(`${BODY}!`, `${BODY}!`), 413],
    ['at the limit, announced', () => signed(BODY, BODY, { 'content-length': '11' }), 200],
    ['more announced', () => signed(BODY, BODY, { 'content-length': '12' }), 413],
    ['more than announced', () => signed(`${BODY}!`, `${BODY}!`, { 'content-length': '11' }), 413],
    ['in pieces, at the limit', () => signed(stream('{"order', '":1}'), BODY), 200],
    ['in pieces, one byte more', () => signed(stream('{"order', '":1}', '!'), `${BODY}!`), 413],
  ])('%s', async (_what, request, status) => {
    const response = await runPolicy(phase, request())
    expect(response.status).toBe(status)
    if (status === 413) expect(await codeOf(response)).toBe('ERR_BODY_TOO_LARGE')
  })

  test('nothing of it is read when the headers alone are wrong', async () => {
    const request = post({ 'stripe-signature': `t=${NOW - 400},v1=${hex('x')}` })
    expect((await runPolicy(make(SIGNERS.stripe.options), request)).status).toBe(401)
    expect(request.bodyUsed).toBe(false)
  })
})

describe('hmac, messages that come again', () => {
  const send = (
    phase: ReturnType<typeof make>,
    records: RecordService,
    headers: Record<string, string>,
    { status = 200, ...init }: { status?: number; nowMs?: number; isDryRun?: boolean } = {},
  ) => {
    const exchange = makeExchange(post(headers), { services: { records }, ...init })
    return runPolicy(phase, exchange, () => new Response(null, { status }))
  }

  test.each(TIMED)('%s: the second one is refused', async (_name, { options, sign }) => {
    const [phase, records] = [make(options), createLocalRecords()]
    expect((await send(phase, records, sign(BODY))).status).toBe(200)
    const again = await send(phase, records, sign(BODY))
    expect(again.status).toBe(409)
    expect(await codeOf(again)).toBe('ERR_WEBHOOK_REPLAYED')
    // The provider tries again: a new timestamp, the same id.
    expect((await send(phase, records, sign(BODY, NOW + 1))).status).toBe(200)
  })

  test('of several at the same moment, one passes', async () => {
    const { options, sign } = SIGNERS.stripe
    const [phase, records] = [make(options), createLocalRecords()]
    const answers = await Promise.all(Array.from({ length: 5 }, () => send(phase, records, sign(BODY))))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409, 409])
  })

  test.each([
    ['the other secret', (t: number) => `t=${t},v1=${hex(`${t}.${BODY}`, 'new')}`],
    ['upper case', (t: number) => `t=${t},v1=${hex(`${t}.${BODY}`).toUpperCase()}`],
    ['more signatures', (t: number) => `t=${t},v1=00,v1=${hex(`${t}.${BODY}`)}`],
  ])('are known by what is signed: %s', async (_what, respell) => {
    const phase = make({ provider: 'stripe', secret: [SECRET, 'new'] })
    const records = createLocalRecords()
    expect((await send(phase, records, SIGNERS.stripe.sign(BODY))).status).toBe(200)
    expect((await send(phase, records, { 'stripe-signature': respell(NOW) })).status).toBe(409)
  })

  test.each([
    [500, 200],
    [404, 200],
    [399, 409],
    [204, 409],
  ])('a message that was answered with %i gets %i the second time', async (first, second) => {
    const { options, sign } = SIGNERS.slack
    const [phase, records] = [make(options), createLocalRecords()]
    await send(phase, records, sign(BODY), { status: first })
    expect((await send(phase, records, sign(BODY))).status).toBe(second)
  })

  test('a refused second one does not free the first', async () => {
    const { options, sign } = SIGNERS.slack
    const [phase, records] = [make(options), createLocalRecords()]
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push((await send(phase, records, sign(BODY))).status)
    expect(statuses).toEqual([200, 409, 409])
  })

  test('are remembered until the timestamp refuses them', async () => {
    const ttls: number[] = []
    const records = {
      ...createLocalRecords(),
      claim: async (_key: string, value: string, ttl: number) => {
        ttls.push(ttl)
        return { claimed: true, value }
      },
    }
    for (const offset of [-300, 0, 300]) {
      await send(make(SIGNERS.slack.options), records, SIGNERS.slack.sign(BODY, NOW + offset))
    }
    await send(
      make({ ...SIGNERS.github.options, replay: true, replay_window: '1h' }),
      records,
      SIGNERS.github.sign(BODY),
    )
    expect(ttls).toEqual([1, 301, 601, 3600])
  })

  test('pass where replay is false, and in schemes that sign neither time nor id', async () => {
    for (const phase of [make({ ...SIGNERS.stripe.options, replay: false }), make(SIGNERS.github.options)]) {
      const records = createLocalRecords()
      const headers = { ...SIGNERS.stripe.sign(BODY), ...SIGNERS.github.sign(BODY) }
      expect((await send(phase, records, headers)).status).toBe(200)
      expect((await send(phase, records, headers)).status).toBe(200)
    }
  })

  test('are refused when nobody knows whether they came before', async () => {
    const records = { ...createLocalRecords(), claim: async () => Promise.reject(new Error('down')) }
    const response = await send(make(SIGNERS.stripe.options), records, SIGNERS.stripe.sign(BODY))
    expect(response.status).toBe(503)
    expect(await codeOf(response)).toBe('ERR_STATE_UNAVAILABLE')
  })

  test('a dry run remembers nothing, but knows what came', async () => {
    const { options, sign } = SIGNERS.stripe
    const [phase, records] = [make(options), createLocalRecords()]
    expect((await send(phase, records, sign(BODY), { isDryRun: true })).status).toBe(200)
    expect((await send(phase, records, sign(BODY))).status).toBe(200)
    expect((await send(phase, records, sign(BODY), { isDryRun: true })).status).toBe(409)
  })
})

describe('hmac, generic', () => {
  const base = { provider: 'generic', secret: SECRET, header: 'X-Sig' }

  test.each([
    [{ content: '{body}' }, { 'x-sig': hex(BODY) }],
    [{ encoding: 'base64' }, { 'x-sig': base64(BODY) }],
    [
      { encoding: 'base64' },
      { 'x-sig': base64(BODY).replaceAll('+', '-').replaceAll('/', '_').replace('=', '') },
    ],
    [{ algorithm: 'sha384' }, { 'x-sig': hex(BODY, SECRET, 'sha384') }],
    [{ content: '{method}{url}{body}' }, { 'x-sig': hex(`POSThttps://hooks.test/in?x=1${BODY}`) }],
    [
      { content: '{id}:{body}', id_header: 'X-Id' },
      { 'x-sig': hex(`a-1:${BODY}`), 'x-id': 'a-1' },
    ],
    [{ secret: Buffer.from(SECRET).toString('hex'), secret_encoding: 'hex' }, { 'x-sig': hex(BODY) }],
    [{ secret: Buffer.from(SECRET).toString('base64'), secret_encoding: 'base64' }, { 'x-sig': hex(BODY) }],
  ])('%j verifies %j', async (options, headers) => {
    expect(
      (await runPolicy(make({ ...base, ...options }), post({ ...headers } as Record<string, string>))).status,
    ).toBe(200)
  })

  test.each([
    [{ content: '{timestamp}', timestamp_header: 'X-Time' }, '"{body}" must be in it once'],
    [{ content: '{body}{body}' }, '"{body}" must be in it once'],
    [{ content: '{bodies}' }, '"{bodies}" is not known'],
    [{ content: '{body' }, 'is not known'],
    [{ timestamp_header: 'X-Time' }, 'the timestamp must be signed too'],
    [{ id_header: 'X-Id' }, 'the id must be signed too'],
    [{ content: '{timestamp}.{body}' }, 'needs "timestamp_header"'],
    [{ header: undefined }, '"header" is missing'],
    [{ header: 'X Sig' }, 'header: It must be the name of a header'],
    [{ algorithm: 'sha1' }, 'algorithm'],
    [{ secret: 'zz', secret_encoding: 'hex' }, 'secret 1'],
    [{ secret: [] }, 'secret'],
    [{ secret: Array.from({ length: 9 }, String) }, 'At most 8'],
    [{ tolerance: 0 }, 'tolerance'],
    [{ max_body_bytes: 32 * 1024 * 1024 + 1 }, 'max_body_bytes'],
    [{ provider: 'github' }, '"header" belongs to the provider "generic"'],
    [{ provider: 'standard-webhooks', header: undefined, secret: 'whsec_!' }, 'secret 1 is not of the form'],
  ])('%j is refused: %s', (options, message) => {
    const all = Object.fromEntries(
      Object.entries({ ...base, ...options }).filter(([, value]) => value !== undefined),
    )
    expect(() => make(all)).toThrow(message)
  })
})

test('hmac says why, without signature or secret', async () => {
  const trace = makeTrace()
  const headers = SIGNERS.stripe.sign(BODY)
  await runPolicy(make(SIGNERS.stripe.options), makeExchange(post(headers), { trace }))
  await runPolicy(make(SIGNERS.stripe.options), makeExchange(post(headers, 'other'), { trace }))
  expect(trace.findings).toHaveLength(3)
  expect(trace.findings.join()).not.toContain(SECRET)
  expect(trace.findings.join()).not.toContain(hex(`${NOW}.${BODY}`))
})

test('hmac is presented when there is a signature, right or wrong', () => {
  const isPresented = (headers: Record<string, string>) =>
    make(SIGNERS.github.options).isPresented?.(makeExchange(post(headers)) as Exchange)
  expect(isPresented({ 'x-hub-signature-256': 'nonsense' })).toBe(true)
  expect(isPresented({})).toBe(false)
})

test('hmac can be one of several ways to authenticate where it does not have to look at answers', async () => {
  const anyOf = (options: object) =>
    createPhase(anyOfPolicy, { policies: ['hook'] }, { policies: { hook: make(options) } })
  const { options, sign } = SIGNERS.stripe
  expect((await runPolicy(anyOf({ ...options, replay: false }), post(sign(BODY)))).status).toBe(200)
  expect((await runPolicy(anyOf({ ...options, replay: false }), post(sign(BODY), 'x'))).status).toBe(401)
  expect(() => anyOf(options)).toThrow("can't be in")
})

describe('the decoders', () => {
  test('read back what was written', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), bytes => {
        expect(decodeHex(Buffer.from(bytes).toString('hex'))).toEqual(bytes)
        expect(decodeBase64(Buffer.from(bytes).toString('base64'))).toEqual(bytes)
        expect(decodeBase64(Buffer.from(bytes).toString('base64url'))).toEqual(bytes)
      }),
    )
  })

  test('never throw, whatever a stranger sends', async () => {
    const phases = Object.values(SIGNERS).map(({ options }) => make(options))
    const value = fc.stringMatching(/^[\x21-\x7e]{0,40}$/)
    const header = fc.constantFrom(...Object.values(SIGNERS).flatMap(({ sign }) => Object.keys(sign(BODY))))
    await fc.assert(
      fc.asyncProperty(fc.dictionary(header, value), async headers => {
        for (const phase of phases) {
          expect((await runPolicy(phase, post({ ...headers } as Record<string, string>))).status).toBe(401)
        }
      }),
      { numRuns: 50 },
    )
  })

  test.each([
    ['1700000000', 's', 1_700_000_000_000],
    ['1700000000123', 'ms', 1_700_000_000_123],
    ['170000000', 's', undefined],
    ['17000000000', 's', undefined],
    ['1700000000', 'ms', undefined],
    ['+170000000', 's', undefined],
    ['1700000000 ', 's', undefined],
    ['1.70000000', 's', undefined],
  ] as const)('parseTimestamp(%j, %s) is %s', (text, unit, time) => {
    expect(parseTimestamp(text, unit)).toBe(time)
  })

  test('equalBytes() is equality', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
        expect(equalBytes(a, b)).toBe(Buffer.compare(a, b) === 0)
        expect(equalBytes(a, a.slice())).toBe(true)
      }),
    )
  })
})

const VECTORS = join(import.meta.dirname, '../../../shared/vectors/jwt/hmac.json')

interface Vectors {
  readonly examples: readonly {
    id: string
    key_hex?: string
    data_hex?: string
    header?: string
    hmac_sha256_hex?: string
    secret?: string
    msg_id?: string
    timestamp?: string
    payload?: string
    signature?: string
    ok: boolean
  }[]
  readonly wycheproof: readonly {
    tcId: number
    key: string
    msg: string
    tag: string
    tagSize: number
    result: 'valid' | 'invalid'
    comment: string
  }[]
}

describe.skipIf(!existsSync(VECTORS))(
  'hmac, published cases (skipped where shared/vectors is absent)',
  () => {
    const vectors: Vectors = existsSync(VECTORS)
      ? (JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors)
      : { examples: [], wycheproof: [] }
    const verifyHex = async (key: string, msg: string, tag: string) => {
      const options = { provider: 'generic', header: 'x-sig', secret: key, secret_encoding: 'hex' }
      const request = post({ 'x-sig': tag }, Buffer.from(msg, 'hex'))
      return (await runPolicy(make(options), request)).status === 200
    }

    test('the examples of RFC 4231, GitHub and Standard Webhooks', async () => {
      expect(vectors.examples.length).toBeGreaterThan(0)
      for (const example of vectors.examples) {
        const { id, key_hex: key = '', data_hex: data = '', hmac_sha256_hex: mac = '' } = example
        if (example.secret) {
          const headers = {
            'webhook-id': example.msg_id ?? '',
            'webhook-timestamp': example.timestamp ?? '',
            'webhook-signature': example.signature ?? '',
          }
          const nowMs = Number(example.timestamp) * 1000
          const exchange = makeExchange(post(headers, example.payload ?? ''), { nowMs })
          const phase = make({ provider: 'standard-webhooks', secret: example.secret })
          expect([id, (await runPolicy(phase, exchange)).status === 200]).toEqual([id, example.ok])
          continue
        }
        expect([id, await verifyHex(key, data, mac)]).toEqual([id, example.ok])
        if (!example.header) continue
        const [name = '', value = ''] = example.header.split(': ')
        const secret = Buffer.from(key, 'hex').toString()
        const request = post({ [name]: value }, Buffer.from(data, 'hex'))
        const response = await runPolicy(make({ provider: 'github', secret }), request)
        expect([id, response.status === 200]).toEqual([id, example.ok])
      }
    })

    test('every case of Wycheproof; shortened tags are right as such, and never enough for a message', async () => {
      expect(vectors.wycheproof.length).toBeGreaterThan(100)
      for (const { tcId, key, msg, tag, tagSize, result } of vectors.wycheproof) {
        const verifier = new MacVerifier('SHA-256', [Uint8Array.from(Buffer.from(key, 'hex'))])
        const mac = await verifier.sign(Uint8Array.from(Buffer.from(msg, 'hex')))
        const shortened = mac.slice(0, tagSize / 8)
        const isRight = equalBytes(shortened, Uint8Array.from(Buffer.from(tag, 'hex')))
        expect([tcId, isRight ? 'valid' : 'invalid']).toEqual([tcId, result])
        expect([tcId, await verifyHex(key, msg, tag)]).toEqual([tcId, isRight && tagSize === 256])
      }
    })
  },
)
