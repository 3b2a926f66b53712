import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type Strike, StrikePost, type StrikePostOptions } from '../../host/strike-post.ts'
import { createTempDir } from './platform.ts'

function strike(script: string): Strike {
  return {
    accountId: 'a'.repeat(32),
    script,
    digest: 'd1g3st.p1',
    kind: 'cpu',
    atMs: 1_790_000_000_000,
    detail: 'it computed without a pause for more than 500 ms (seen for 500 ms)',
    edge: 'edge-0',
  }
}

function createPost(socketPath: string, options: Partial<StrikePostOptions> = {}) {
  const lines: string[] = []
  const post = new StrikePost({
    socketPath,
    log: line => lines.push(line),
    retryMinMs: 1,
    retryMaxMs: 4,
    ...options,
  })
  onTestFinished(() => post.close())
  return { post, lines }
}

type Told = Strike & { readonly id: string }

/** A state process that is told strikes; `answer` says what to do with each. */
async function listen(
  answer: (told: Told, response: ServerResponse, nth: number) => void,
  socketPath = join(createTempDir(), 'state.ops'),
) {
  const told: Told[] = []
  const server = createServer(async (request: IncomingMessage, response) => {
    expect(`${request.method} ${request.url}`).toBe('POST /strikes')
    expect(request.headers['content-type']).toBe('application/json')
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += chunk
    const one = JSON.parse(text) as Told
    told.push(one)
    answer(one, response, told.length)
  }).listen(socketPath)
  await once(server, 'listening')
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { socketPath, told }
}

const take = (_told: Told, response: ServerResponse) => response.end('{"quarantined":false}')

test('StrikePost delivers a strike with an id of its own, and gives the answer back', async () => {
  const { socketPath, told } = await listen((one, response) =>
    response.end(JSON.stringify({ quarantined: one.script === 'second' })),
  )
  const { post, lines } = createPost(socketPath)
  const answers = await Promise.all(['first', 'second'].map(script => post.post(strike(script))))
  expect(answers).toEqual([{ quarantined: false }, { quarantined: true }])
  expect(told).toEqual(['first', 'second'].map(script => ({ ...strike(script), id: expect.any(String) })))
  expect(new Set(told.map(({ id }) => id)).size).toBe(2)
  expect({ lines, waiting: post.waiting }).toEqual({ lines: [], waiting: 0 })
})

test('StrikePost keeps strikes while the state process is away, and delivers them in order', async () => {
  const socketPath = join(createTempDir(), 'state.ops')
  const { post, lines } = createPost(socketPath)
  const scripts = Array.from({ length: 20 }, (_, i) => `script-${i}`)
  const answers = Promise.all(scripts.map(script => post.post(strike(script))))
  expect(post.waiting).toBe(20)
  const { told } = await listen(take, socketPath)
  expect(await answers).toEqual(scripts.map(() => ({ quarantined: false })))
  expect(told.map(({ script }) => script)).toEqual(scripts)
  expect({ lines, waiting: post.waiting }).toEqual({ lines: [], waiting: 0 })
})

test.each([
  { title: 'is cut off', fail: (response: ServerResponse) => void response.destroy() },
  { title: 'is a 503', fail: (response: ServerResponse) => void response.writeHead(503).end('later') },
  { title: 'does not come', fail: () => {} },
])('StrikePost tells a strike again under the same id when its answer $title', async ({ fail }) => {
  const { socketPath, told } = await listen((one, response, nth) =>
    nth <= 2 ? fail(response) : take(one, response),
  )
  const { post } = createPost(socketPath, { timeoutMs: 100 })
  const answers = [post.post(strike('one')), post.post(strike('two'))]
  expect(await Promise.all(answers)).toEqual([{ quarantined: false }, { quarantined: false }])
  expect(told.map(({ script }) => script)).toEqual(['one', 'one', 'one', 'two'])
  expect(new Set(told.map(({ id }) => id)).size).toBe(2)
})

test('StrikePost does not repeat a strike that is refused, and goes on with the next', async () => {
  const { socketPath, told } = await listen((one, response) =>
    one.script === 'bad' ? response.writeHead(400).end('The strike is malformed.') : take(one, response),
  )
  const { post, lines } = createPost(socketPath)
  const answers = await Promise.all(['bad', 'good'].map(script => post.post(strike(script))))
  expect(answers).toEqual([undefined, { quarantined: false }])
  expect(told.map(({ script }) => script)).toEqual(['bad', 'good'])
  expect(lines).toEqual([
    `a cpu strike of ${'a'.repeat(32)}/bad is not counted: 400 The strike is malformed.`,
  ])
})

test('StrikePost keeps so many strikes, and gives up the oldest beyond', async () => {
  const socketPath = join(createTempDir(), 'state.ops')
  const { post, lines } = createPost(socketPath, { maxWaiting: 3 })
  const answers = ['a', 'b', 'c', 'd'].map(script => post.post(strike(script)))
  expect(await answers[0]).toBeUndefined()
  expect(post.waiting).toBe(3)
  expect(lines).toEqual([
    `a cpu strike of ${'a'.repeat(32)}/a is not counted: more than 3 wait for the state process`,
  ])
  const { told } = await listen(take, socketPath)
  await Promise.all(answers)
  expect(told.map(({ script }) => script)).toEqual(['b', 'c', 'd'])
})

test('StrikePost.close() gives up what waits, and takes nothing more', async () => {
  const { post, lines } = createPost(join(createTempDir(), 'state.ops'))
  const answer = post.post(strike('one'))
  post.close()
  expect([await answer, await post.post(strike('two'))]).toEqual([undefined, undefined])
  expect(lines).toEqual([`a cpu strike of ${'a'.repeat(32)}/one is not counted: the platform stops`])
})
