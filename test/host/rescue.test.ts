import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { canRescue } from '../../host/system-calls.ts'
import { beat, TestEdges } from './edges.ts'
import { type Answer, RawClient } from './raw-client.ts'

const UPGRADE =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
const BLAME = { kind: 'cpu', accountId: 'account', script: 'loop', limit: 50 } as const

describe.skipIf(canRescue())('Rescue, when an edge hangs and is killed', () => {
  let edges: TestEdges
  const open = () => RawClient.open(edges.port)
  /** A keep-alive connection that was answered once. */
  const used = async (path = '/who') => {
    const client = await open()
    await client.get(path).answer()
    return client
  }
  const clients: Record<string, RawClient> = {}
  const client = (name: string): RawClient => {
    const found = clients[name]
    if (!found) throw new Error(`no client ${name}`)
    return found
  }
  const answers = new Map<string, Promise<Answer>>()
  const answerOf = (name: string): Promise<Answer> => {
    const answer = answers.get(name) ?? client(name).answer()
    answers.set(name, answer)
    return answer
  }
  let killedAtMs = 0

  beforeAll(async () => {
    edges = await TestEdges.open()
    const edge = await edges.start('edge-0')
    // Everybody connects to it: there is no other.
    const early = await open()
    await early.send('POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\nabc').answer()
    const posted = await open()
    await posted.post('/echo', 'x').answer()
    const upgraded = (await open()).get('/socket', UPGRADE)
    await upgraded.saw('101 Switching')
    Object.assign(clients, { early, posted, upgraded })
    Object.assign(clients, {
      slowGet: (await used()).get('/slow?a=b', 'x-mine: yes\r\nskerry-client: 6.6.6.6:6\r\n'),
      slowHead: (await used()).send('HEAD /slow HTTP/1.1\r\nHost: a\r\n\r\n'),
      slowPost: (await used()).post('/slow', 'body'),
      stream: (await used()).get('/stream'),
      loops: await used(),
      idle: await used(),
      asks: await used(),
      asksWebSocket: await used(),
      posts: await used(),
      fresh: await open(),
    })
    await client('stream').saw('tick')
    await edges.sweep(edge)
    await delay(50)
    await edges.sweep(edge)
    await edges.start('edge-1')

    client('loops').get('/loop')
    while (await beat(edge.health));
    client('asks').get('/who?asks', 'skerry-client: 6.6.6.6:6\r\n')
    client('asksWebSocket').get('/socket', UPGRADE)
    client('posts').post('/echo', 'the body')
    client('fresh').send('GET /who?fresh HTTP/1.1\r\nHost: a\r\n\r\n')
    for (const name of ['early', 'posted', 'upgraded']) client(name).get('/who?smuggled')
    // All of it has arrived, though nobody reads it.
    await delay(20)
    killedAtMs = performance.now()
    await edges.kill(edge, BLAME)
  })
  afterAll(() => edges[Symbol.asyncDispose]())

  it('answers who waits for the blamed function with ERR_FUNCTION_CPU, at once', async () => {
    const answer = await client('loops').answer()
    expect(performance.now() - killedAtMs).toBeLessThan(1000)
    expect(answer.status).toBe(503)
    expect(answer.headers.get('connection')).toBe('close')
    expect(answer.headers.has('retry-after')).toBe(false)
    const problem = JSON.parse(answer.body)
    expect(problem).toMatchObject({ code: 'ERR_FUNCTION_CPU', status: 503 })
    expect(problem.detail).toContain('"loop" computed for longer than its limit of 50 ms')
    expect(answer.headers.get('skerry-request-id')).toBe(problem.request_id)
  })

  it('sends a GET that waited for another function once more, to another edge', async () => {
    const told = toldOf(await answerOf('slowGet'))
    expect(told).toMatchObject({ edge: 'edge-1', url: 'http://test/slow?a=b' })
    expect(told.headers).toMatchObject({ 'x-mine': 'yes' })
  })

  it('sends a HEAD once more too', async () => {
    await client('slowHead').saw('\r\n\r\n')
    expect(client('slowHead').received).toMatch(/^HTTP\/1\.1 200 OK\r\n/)
    expect(await client('slowHead').rest()).toMatch(/\r\n\r\n$/)
  })

  it('answers a POST that waited for another function with ERR_EDGE_LOST, to be tried again', async () => {
    const answer = await client('slowPost').answer()
    expect(answer.status).toBe(503)
    expect(answer.headers.get('retry-after')).toBe('1')
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'ERR_EDGE_LOST' })
  })

  it.each(['asks', 'fresh'])('serves a request that was sent and not read: %s', async name => {
    const answer = await answerOf(name)
    expect(answer.headers.get('connection')).toBe('close')
    expect(toldOf(answer)).toMatchObject({ edge: 'edge-1', url: expect.stringContaining(`/who?${name}`) })
  })

  it.each(['asks', 'slowGet'])(
    'tells the other edge the address of the client, whatever the client says: %s',
    async name => {
      expect(toldOf(await answerOf(name)).client).toBe(client(name).address)
    },
  )

  it('serves one with a body', async () => {
    expect(toldOf(await client('posts').answer())).toMatchObject({ edge: 'edge-1', body: 'the body' })
  })

  it('serves a WebSocket', async () => {
    await client('asksWebSocket').saw('101 Switching Protocols')
    await client('asksWebSocket').saw('\r\n\r\n')
    // A masked text frame with the mask 0: "hi".
    client('asksWebSocket').send('\x81\x82\0\0\0\0hi')
    await client('asksWebSocket').saw('edge-1 hi')
  })

  it('closes idle connections', async () => {
    expect(await client('idle').rest()).toBe('')
  })

  it('breaks off a response that had begun, without its end', async () => {
    const rest = await client('stream').rest()
    expect(rest).toContain('tick')
    expect(rest).not.toContain('\r\n0\r\n\r\n')
  })

  it.each(['early', 'posted', 'upgraded'])(
    'never reads what may belong to an earlier request as a new one: %s',
    async name => {
      expect(await client(name).rest()).not.toContain('smuggled')
    },
  )

  it('logs nothing', () => {
    expect(edges.log).toEqual([])
  })
})

describe.skipIf(canRescue())('Rescue.drain()', () => {
  it('lets an edge finish what it has begun', async () => {
    await using edges = await TestEdges.open()
    const edge = await edges.start('edge-0')
    const busy = (await RawClient.open(edges.port)).get('/pause?ms=2000')
    await delay(50)
    await edges.start('edge-1')
    await edges.drain(edge, 10_000)
    const answer = await busy.answer()
    expect(answer.headers.get('connection')).toBe('close')
    expect(toldOf(answer)).toMatchObject({ edge: 'edge-0' })
  })

  it('answers what the edge could not finish in time', async () => {
    await using edges = await TestEdges.open()
    const edge = await edges.start('edge-0')
    const posted = (await RawClient.open(edges.port)).post('/slow', 'x')
    await delay(50)
    await edges.start('edge-1')
    await edges.drain(edge, 1000)
    expect(JSON.parse((await posted.answer()).body)).toMatchObject({ code: 'ERR_EDGE_LOST' })
  })

  it.each([
    ['GET', (client: RawClient) => client.get('/pause?ms=1')],
    ['POST', (client: RawClient) => client.post('/echo', 'hello')],
  ])('loses no %s of four connections in a closed loop', async (_, ask) => {
    await using edges = await TestEdges.open()
    let edge = await edges.start('edge-0')
    let isOver = false
    let answered = 0
    const failures: string[] = []
    const loop = async () => {
      for (let client: RawClient | undefined; !isOver; ) {
        client ??= await RawClient.open(edges.port)
        const answer: Answer | string = await ask(client).answer().catch(String)
        if (typeof answer === 'string' || answer.status !== 200) failures.push(JSON.stringify(answer))
        else answered++
        if (typeof answer === 'string' || answer.headers.get('connection') === 'close') client = undefined
      }
    }
    const loops = [loop(), loop(), loop(), loop()]
    for (const name of ['edge-1', 'edge-2']) {
      const replacement = await edges.start(name)
      await delay(300)
      await edges.drain(edge, 10_000)
      edge = replacement
    }
    isOver = true
    await Promise.all(loops)
    expect(failures).toEqual([])
    expect(answered).toBeGreaterThan(50)
    expect(edges.log).toEqual([])
  })
})

function toldOf(answer: Answer) {
  expect(answer.status).toBe(200)
  return JSON.parse(answer.body)
}
