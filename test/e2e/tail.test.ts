import { describe, expect, onTestFinished, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { openFirstHost } from './support/hosts.ts'

const hosts = await openFirstHost('tail')

const TALKER = `export default {
  async fetch(request, env, ctx) {
    const { pathname } = new URL(request.url)
    console.log('path', pathname, { deep: [1] })
    if (pathname === '/throw') throw new TypeError('out of words')
    if (pathname === '/later') ctx.waitUntil(scheduler.wait(50).then(() => console.warn('said later')))
    return new Response('ok', { status: pathname === '/teapot' ? 418 : 200 })
  },
  async scheduled(controller) { console.log('tick', controller.cron) },
  async queue(batch) { console.log('batch', batch.messages.map(({ body }) => body)) },
}`

interface Message {
  readonly outcome: string
  readonly scriptName: string
  readonly eventTimestamp: number
  readonly event: {
    readonly request?: {
      readonly url: string
      readonly method: string
      readonly headers: Record<string, string>
    }
    readonly response?: { readonly status: number }
    readonly cron?: string
    readonly queue?: string
    readonly scheduledTime?: number
  }
  readonly logs: readonly {
    readonly level: string
    readonly message: readonly unknown[]
    readonly timestamp: number
  }[]
  readonly exceptions: readonly { readonly name: string; readonly message: string; readonly stack?: string }[]
}

/** A `wrangler tail` that is connected, and the messages that it has printed. */
async function startTail(platform: Platform, script: string, ...args: string[]) {
  const tail = platform.startWrangler(['tail', script, '--format', 'json', ...args])
  onTestFinished(() => tail.kill('SIGKILL'))
  const messages = () => parseConcatenated(tail.stdout()) as Message[]
  // JSON format prints nothing when it connects, so look from the other side, and then ask until something comes.
  await expect
    .poll(
      async () => {
        const { result } = await platform.api<unknown[]>('GET', `$A/workers/scripts/${script}/tails`)
        return result.length
      },
      { timeout: 20_000 },
    )
    .toBe(1)
  return { ...tail, messages }
}

/** Calls until the tail shows the call: a reader counts from when its socket is open. */
async function waitForConnection(
  platform: Platform,
  script: string,
  tail: { messages(): Message[] },
  init = {},
): Promise<void> {
  await expect
    .poll(
      async () => {
        await platform.call(script, '/probe', init)
        return tail.messages().length
      },
      { timeout: 20_000, interval: 100 },
    )
    .toBeGreaterThan(0)
}

const pathOf = ({ event }: Message) => (event.request ? new URL(event.request.url).pathname : undefined)

describe.each(hosts)('wrangler tail on `npm $kind`', platform => {
  const find = async (tail: { messages(): Message[] }, path: string) => {
    await expect
      .poll(() => tail.messages().some(message => pathOf(message) === path), { timeout: 10_000 })
      .toBe(true)
    return tail.messages().find(message => pathOf(message) === path) as Message
  }

  test('shows logs, exceptions with their stack, what waitUntil logs, crons and batches; ends on SIGINT', async () => {
    await platform.upload('talker', TALKER)
    await platform.api('PUT', '$A/workers/scripts/talker/schedules', [{ cron: '0 0 1 1 *' }])
    const tail = await startTail(platform, 'talker')
    await waitForConnection(platform, 'talker', tail)

    await platform.call('talker', '/hello?q=1', { method: 'PUT', headers: { 'x-mine': 'yes' }, body: 'b' })
    const hello = await find(tail, '/hello')
    expect(hello).toMatchObject({
      outcome: 'ok',
      scriptName: 'talker',
      event: { request: { method: 'PUT', headers: { 'x-mine': 'yes' } }, response: { status: 200 } },
      logs: [{ level: 'log', message: ['path', '/hello', { deep: [1] }] }],
      exceptions: [],
    })
    expect(Math.abs(hello.eventTimestamp - Date.now())).toBeLessThan(60_000)

    await platform.call('talker', '/throw')
    const thrown = await find(tail, '/throw')
    expect(thrown).toMatchObject({
      outcome: 'exception',
      logs: [{ message: ['path', '/throw', { deep: [1] }] }],
      exceptions: [{ name: 'TypeError', message: 'out of words' }],
    })
    expect(thrown.exceptions[0]?.stack).toMatch(/index\.js:5/)

    await platform.call('talker', '/later')
    expect(await find(tail, '/later')).toMatchObject({
      logs: [{ level: 'log' }, { level: 'warn', message: ['said later'] }],
    })

    expect((await platform.skerry(['cron', 'run', 'talker'])).code).toBe(0)
    await expect
      .poll(() => tail.messages().find(({ event }) => event.cron !== undefined), { timeout: 10_000 })
      .toMatchObject({
        outcome: 'ok',
        event: { cron: '0 0 1 1 *', scheduledTime: expect.any(Number) },
        logs: [{ message: ['tick', '0 0 1 1 *'] }],
      })

    await platform.api('POST', '$A/queues', { queue_name: 'jobs' })
    const consumer = { script_name: 'talker', settings: { max_wait_time_ms: 0 } }
    await platform.api('POST', '$A/queues/jobs/consumers', consumer)
    await platform.api('POST', '$A/queues/jobs/messages/batch', { messages: [{ body: 'a' }, { body: 'b' }] })
    await expect
      .poll(() => tail.messages().find(({ event }) => event.queue !== undefined), { timeout: 10_000 })
      .toMatchObject({
        outcome: 'ok',
        event: { queue: 'jobs', batchSize: 2 },
        logs: [{ message: ['batch', ['a', 'b']] }],
      })

    tail.kill('SIGINT')
    const { code } = await tail.finished
    expect(code).toBe(0)
    await expect
      .poll(async () => (await platform.api<unknown[]>('GET', '$A/workers/scripts/talker/tails')).result, {
        timeout: 5000,
      })
      .toEqual([])
  })

  test('leaves credentials out of what it shows', async () => {
    await platform.upload('discreet', TALKER)
    const tail = await startTail(platform, 'discreet')
    const headers = { authorization: 'Bearer s3cr3t', cookie: 'session=s3cr3t' }
    await waitForConnection(platform, 'discreet', tail, { headers })
    expect(JSON.stringify(tail.messages())).not.toContain('s3cr3t')
  })

  test.each([
    { filter: ['--status', 'error'], shown: '/throw', hidden: '/hello', method: 'GET' },
    { filter: ['--method', 'POST'], shown: '/posted', hidden: '/hello', method: 'POST' },
    { filter: ['--search', 'needle'], shown: '/needle', hidden: '/hello', method: 'GET' },
    {
      filter: ['--header', 'x-pick:me'],
      shown: '/picked',
      hidden: '/hello',
      method: 'GET',
      headers: { 'x-pick': 'me' },
    },
  ])(
    'with $filter shows what matches and nothing else',
    async ({ filter, shown, hidden, method, headers }) => {
      const script = `filter${filter[0]?.slice(1)}`
      await platform.upload(script, TALKER)
      const tail = await startTail(platform, script, ...filter)
      const init = { method, ...(headers && { headers }) }
      await expect
        .poll(
          async () => {
            await platform.call(script, hidden)
            await platform.call(script, shown, init)
            return tail.messages().length
          },
          { timeout: 20_000, interval: 100 },
        )
        .toBeGreaterThan(0)
      await platform.call(script, hidden)
      await platform.call(script, `${shown}`, init)
      expect(new Set(tail.messages().map(pathOf))).toEqual(new Set([shown]))
    },
  )

  test('with --sampling-rate shows about that share', async () => {
    await platform.upload('sampled', TALKER)
    const tail = await startTail(platform, 'sampled', '--sampling-rate', '0.25')
    await waitForConnection(platform, 'sampled', tail)
    const before = tail.messages().length
    for (let round = 0; round < 16; round++) {
      await Promise.all(Array.from({ length: 25 }, () => platform.call('sampled', '/sampled')))
    }
    // Binomial(400, 0.25): 100 ± 8.7; 5 deviations.
    await expect.poll(() => tail.messages().length - before, { timeout: 10_000 }).toBeGreaterThan(56)
    expect(tail.messages().length - before).toBeLessThan(144)
  })

  test('of a script that does not exist says so', async () => {
    const { code, all } = await platform.wrangler(['tail', 'nobody'])
    expect(code).toBe(1)
    expect(all).toContain('does not exist')
  })
})

/** JSON values printed one after the other, over several lines each; an unfinished last one is left out. */
function parseConcatenated(text: string): unknown[] {
  const values: unknown[] = []
  let pending = ''
  for (const line of text.split('\n')) {
    pending += `${line}\n`
    if (!line.startsWith('}')) continue
    try {
      values.push(JSON.parse(pending))
      pending = ''
    } catch {
      // A brace inside a text: go on.
    }
  }
  return values
}
