import { beforeEach, describe, expect, it, vi } from 'vitest'
import { BOARD, Board, canonicalAddress, hashScript, isBoardHeader } from '../../src/core/board.ts'

const MARK = 'c0ffee00'.repeat(8)
const CLIENT = '127.0.0.1:4711'

let writer: typeof import('../../src/board.ts')

beforeEach(async () => {
  // The writer is one a process.
  vi.resetModules()
  writer = await import('../../src/board.ts')
})

describe('the board', () => {
  beforeEach(() => writer.openBoard(MARK))

  it('tells of a request that it waits, and for which script', () => {
    writer.enter(request('GET'), hashScript('a', 'shop'))
    expect(last(CLIENT)).toMatchObject({
      isWaiting: true,
      script: hashScript('a', 'shop'),
      ownsTheRest: false,
    })
  })

  it('tells of an answered request that it was', () => {
    writer.leave(writer.enter(request('GET'), 7), respond(200))
    expect(last(CLIENT)).toMatchObject({ isWaiting: false, ownsTheRest: false })
  })

  it('tells the last of several requests of one connection', () => {
    writer.leave(writer.enter(request('POST'), 1), respond(200))
    writer.enter(request('GET'), 2)
    expect(last(CLIENT)).toMatchObject({ isWaiting: true, script: 2, ownsTheRest: false })
  })

  it('knows nothing of a client that sent nothing', () => {
    writer.enter(request('GET'), 1)
    expect(last('127.0.0.1:4712')).toBeUndefined()
  })

  it.each([
    ['GET', false],
    ['HEAD', false],
    ['POST', true],
    ['OPTIONS', true],
  ])('says of %s whether more of it may follow: %s', (method, ownsTheRest) => {
    writer.leave(writer.enter(request(method), 1), respond(200))
    expect(last(CLIENT)).toMatchObject({ ownsTheRest, isHead: method === 'HEAD' })
  })

  it('says so of a GET with a body too', () => {
    writer.leave(writer.enter(request('GET', { body: new ReadableStream() }), 1), respond(200))
    expect(last(CLIENT)).toMatchObject({ ownsTheRest: true })
  })

  it('says of a connection that became a WebSocket that what follows is no request', () => {
    writer.leave(writer.enter(request('GET'), 1), respond(101))
    expect(last(CLIENT)).toMatchObject({ ownsTheRest: true })
  })

  it.each([
    ['IPv6', '[2001:db8::1]:443', '[2001:db8:0:0:0:0:0:1]:443'],
    ['IPv4 in IPv6', '[::ffff:10.0.0.1]:443', '10.0.0.1:443'],
    ['the longest', `[${'ffff:'.repeat(7)}ffff]:65535`, `[${'ffff:'.repeat(7)}ffff]:65535`],
  ])('finds a client by %s address', (_, clientIp, address) => {
    writer.enter(request('GET', { cf: { clientIp } }), 1)
    expect(last(address)).toBeDefined()
  })

  it('notes nothing of requests over a Unix socket', () => {
    expect(writer.enter(request('GET', { cf: { clientPid: 1 } }), 1)).toBe(-1)
    expect(last(CLIENT)).toBeUndefined()
  })

  it('keeps a request that waits while the ring comes round, and forgets an answered one', () => {
    writer.enter(request('GET', { cf: { clientIp: '10.0.0.1:1' } }), 1)
    writer.leave(writer.enter(request('GET', { cf: { clientIp: '10.0.0.2:2' } }), 1), respond(200))
    for (let i = 0; i < BOARD.slots; i++) writer.leave(writer.enter(request('GET'), 1), respond(200))
    expect(last('10.0.0.1:1')).toMatchObject({ isWaiting: true })
    expect(last('10.0.0.2:2')).toBeUndefined()
  })

  it('notes as many as it has slots, and not one more; what it noted before may not be the last then', () => {
    for (let i = 1; i < BOARD.slots; i++) writer.enter(request('GET'), 1)
    expect(writer.enter(request('GET', { cf: { clientIp: '10.0.0.1:1' } }), 1)).toBeGreaterThanOrEqual(0)
    expect(last('10.0.0.1:1')).toBeDefined()
    expect(writer.enter(request('GET', { cf: { clientIp: '10.0.0.2:2' } }), 1)).toBe(-1)
    expect(last('10.0.0.1:1')).toBeUndefined()
  })

  it('trusts again what came after one that went unnoted', () => {
    const slots = Array.from({ length: BOARD.slots }, () => writer.enter(request('GET'), 1))
    writer.enter(request('GET'), 1)
    for (const slot of slots) writer.leave(slot, respond(200))
    writer.enter(request('GET'), 2)
    expect(last(CLIENT)).toMatchObject({ script: 2 })
  })

  it('can be found by its mark, and has a header that shows it is no chance hit', () => {
    const bytes = writer.copyBoard()
    expect(Buffer.from(bytes.subarray(0, 32)).toString('hex')).toBe(MARK)
    expect(isBoardHeader(bytes)).toBe(true)
    expect(isBoardHeader(new Uint8Array(BOARD.bytes))).toBe(false)
    expect(() => new Board(bytes.subarray(0, -1))).toThrow(RangeError)
  })
})

describe('sweepBoard()', () => {
  beforeEach(() => writer.openBoard(MARK))

  const sweepTwice = () => {
    writer.sweepBoard(0)
    writer.sweepBoard(50)
  }

  it('notes the head of a request that waits at two sweeps', () => {
    writer.enter(
      request('GET', { url: 'http://shop.test/a?b=c', headers: { 'x-a': '1', host: 'shop.test' } }),
      1,
    )
    writer.sweepBoard(0)
    expect(head()).toBeUndefined()
    writer.sweepBoard(50)
    expect(head()).toBe('GET /a?b=c HTTP/1.1\r\nhost: shop.test\r\nx-a: 1\r\n\r\n')
  })

  it.each([
    ['a request with a body', request('POST')],
    ['a request for another protocol', request('GET', { headers: { upgrade: 'websocket' } })],
    ['a path that may not be what the client sent', request('GET', { url: 'http://shop.test/ü' })],
  ])('notes no head of %s', (_, which) => {
    writer.enter(which, 1)
    sweepTwice()
    expect(last(CLIENT)).toMatchObject({ isWaiting: true, head: undefined })
  })

  it('notes a head of 2,040 bytes and none of one more', () => {
    const frame = 'GET / HTTP/1.1\r\nx: \r\n\r\n'.length
    for (const [port, length] of [
      [1, 2040],
      [2, 2041],
    ] as const) {
      const cf = { clientIp: `10.0.0.1:${port}` }
      writer.enter(request('GET', { cf, headers: { x: 'y'.repeat(length - frame) } }), 1)
    }
    sweepTwice()
    expect(last('10.0.0.1:1')?.head).toHaveLength(2040)
    expect(last('10.0.0.1:2')).toMatchObject({ head: undefined })
  })

  it('notes 256 heads at once, and uses the place of one that was answered again', () => {
    const slots = Array.from({ length: 257 }, (_, i) =>
      writer.enter(request('GET', { cf: { clientIp: `10.0.0.1:${i + 1}` } }), 1),
    )
    sweepTwice()
    const noted = slots.filter((_, i) => last(`10.0.0.1:${i + 1}`)?.head)
    expect(noted).toHaveLength(256)
    writer.leave(slots[3] ?? -1, respond(200))
    writer.enter(request('GET'), 1)
    sweepTwice()
    writer.sweepBoard(100)
    expect(head()).toBeDefined()
  })

  it('gives up a request after a minute, and trusts its connection no more', () => {
    writer.enter(request('GET'), 1)
    writer.sweepBoard(0)
    writer.sweepBoard(59_999)
    expect(last(CLIENT)).toMatchObject({ isWaiting: true })
    writer.sweepBoard(60_000)
    expect(last(CLIENT)).toMatchObject({ isWaiting: false, ownsTheRest: true })
  })
})

describe('trackBody()', () => {
  it('leaves a request as it is while the process shall go on', () => {
    writer.openBoard(MARK)
    const post = new Request('http://shop.test/', { method: 'POST', body: 'x' })
    expect(writer.trackBody(post, 0)).toBe(post)
  })

  it('leaves one without a body as it is even then', () => {
    writer.openBoard(MARK)
    writer.noteBodies()
    const get = new Request('http://shop.test/')
    expect(writer.trackBody(get, 0)).toBe(get)
  })
})

describe('openBoard()', () => {
  it('without a mark notes nothing', () => {
    writer.openBoard(undefined)
    expect(writer.enter(request('GET'), 1)).toBe(-1)
    expect(writer.copyBoard()).toHaveLength(0)
  })

  it('with the same mark goes on with the same board', () => {
    writer.openBoard(MARK)
    writer.enter(request('GET'), 1)
    writer.openBoard(MARK)
    expect(last(CLIENT)).toBeDefined()
  })

  it.each(['', 'xyz', MARK.slice(1), `${MARK}0`])('refuses the mark %j', mark => {
    expect(() => writer.openBoard(mark)).toThrow(RangeError)
  })
})

describe('canonicalAddress()', () => {
  it.each([
    ['1.2.3.4:80', '1.2.3.4:80'],
    ['[::1]:80', '[0:0:0:0:0:0:0:1]:80'],
    ['[::ffff:1.2.3.4]:80', '1.2.3.4:80'],
    ['[0:0:0:0:0:ffff:102:304]:80', '1.2.3.4:80'],
    ['[2001:DB8::A:0:1]:80', '[2001:db8:0:0:0:a:0:1]:80'],
    ['1.2.3.4', undefined],
    ['unix:/run/x', undefined],
    ['[1::2::3]:80', undefined],
    ['[1:2:3]:80', undefined],
    ['', undefined],
  ])('makes of %j %j', (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical)
  })
})

function last(address: string) {
  return new Board(writer.copyBoard()).lastRequest(address)
}

function head(): string | undefined {
  const bytes = last(CLIENT)?.head
  return bytes && new TextDecoder().decode(bytes)
}

/** As workerd gives it. */
function request(method: string, more: object = {}): Request {
  const { headers, ...rest } = { headers: {}, ...more }
  const given = { method, url: 'http://shop.test/', cf: { clientIp: CLIENT }, body: null }
  return { ...given, headers: new Headers(headers), ...rest } as unknown as Request
}

function respond(status: number): Response {
  return { status } as Response
}
