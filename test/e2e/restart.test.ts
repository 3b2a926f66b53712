import { appendFileSync, cpSync, mkdtempSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ProcessStatus } from '../../src/core/processes.ts'
import { type Answer, Caller } from './support/caller.ts'
import { until } from './support/edges.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { describeTimes } from './support/random.ts'

const RESTART_MS = 20_000
const KEPT = 4
const PROCESSES = 3
const SLOW_MS = 700
const LARGER_BYTES = 1024 * 1024

const STEADY = `export default {
  async fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/slow') await scheduler.wait(${SLOW_MS})
    return new Response(request.method + ' ' + pathname + ' ' + (await request.text()))
  },
}`

/** An installation of its own, to be updated while it runs. */
const root = copyInstallation()
let platform: RunningPlatform

beforeAll(async () => {
  platform = await startPlatform('start', { root, env: { SKERRY_PROCESSES: String(PROCESSES) } })
  await platform.upload('steady', STEADY)
})
afterAll(async () => {
  await platform?.stop()
  rmSync(root, { recursive: true, force: true })
})

describe.each([
  ['POST /api/v1/processes/restart', orderByApi],
  ['`skerry restart`', orderByCommand],
])('%s', (_, order) => {
  test('replaces every process and fails no request', async () => {
    const load = new Traffic(platform)
    const before = await readyPids()
    await order()
    await untilReplaced(before)
    await delay(300)
    const { failures, answered, summary } = await load.stop()
    console.log(`restart under load: ${summary}`)
    expect(failures, platform.log().slice(-3000)).toEqual([])
    expect(answered).toBeGreaterThan(200)
  })
})

test('a restart takes up an updated installation, and fails no request', async () => {
  const padding = '-'.repeat(LARGER_BYTES)
  appendFileSync(join(root, 'src/worker.ts'), `\nReflect.set(globalThis, 'padding', '${padding}')\n`)
  const bundle = join(platform.dataDir, 'run/worker.js')
  const bytesBefore = statSync(bundle).size
  const load = new Traffic(platform)
  const before = await readyPids()
  await orderByApi()
  await untilReplaced(before)
  const { failures } = await load.stop()
  expect(failures, platform.log().slice(-3000)).toEqual([])
  expect(statSync(bundle).size).toBeGreaterThanOrEqual(bytesBefore + LARGER_BYTES)
})

test('what is deployed while a restart is under way is there after it', async () => {
  const before = await readyPids()
  await orderByApi()
  let last = 0
  let isOver = false
  const deploying = (async () => {
    for (let n = 1; !isOver; n++) {
      const source = `export default { fetch() { return new Response('${n}') } }`
      // A deploy that state's own restart cuts off isn't acknowledged.
      const isAcknowledged = await platform.upload('during', source).then(
        () => true,
        () => false,
      )
      if (isAcknowledged) last = n
    }
  })()
  await untilReplaced(before)
  isOver = true
  await deploying
  expect(last).toBeGreaterThan(3)
  expect(Number(await platform.read('during'))).toBeGreaterThanOrEqual(last)
})

function copyInstallation(): string {
  const here = join(import.meta.dirname, '../..')
  const dir = mkdtempSync(join(tmpdir(), 'skerry-installation-'))
  for (const part of [
    'bin',
    'bindings',
    'cli',
    'examples/hello',
    'host',
    'package.json',
    'routes',
    'runtime',
    'src',
  ])
    cpSync(join(here, part), join(dir, part), { recursive: true })
  symlinkSync(join(here, 'node_modules'), join(dir, 'node_modules'))
  return dir
}

async function orderByApi(): Promise<void> {
  const { status } = await platform.v1('POST', '/processes/restart')
  expect(status).toBe(202)
}

async function orderByCommand(): Promise<void> {
  const { code, all } = await platform.skerry(['restart'])
  expect(code, all).toBe(0)
}

async function readyPids(): Promise<Set<number>> {
  let processes: readonly ProcessStatus[] = []
  await until(
    () =>
      `${PROCESSES} processes and that of objects are ready\n${JSON.stringify(processes, null, 2)}\n${platform.log().slice(-2000)}`,
    async () => {
      ;({ processes } = (await platform.v1<{ processes: ProcessStatus[] }>('GET', '/processes')).body)
      return processes.length === PROCESSES + 1 && processes.every(({ state }) => state === 'ready')
    },
  )
  return new Set(processes.flatMap(({ pid }) => pid ?? []))
}

/** All are ready, and none is one of those. */
function untilReplaced(before: ReadonlySet<number>): Promise<number> {
  const isReplaced = async () => [...(await readyPids())].every(pid => !before.has(pid))
  return until('every process is replaced', isReplaced, RESTART_MS)
}

/** Callers of a function on connections kept alive and on fresh ones, one that waits long, and one of the API. */
class Traffic {
  readonly #platform: RunningPlatform
  readonly #calling: Promise<unknown>
  readonly #failures: string[] = []
  readonly #times: number[] = []
  #isOver = false

  constructor(platform: RunningPlatform) {
    this.#platform = platform
    this.#calling = Promise.all([
      ...Array.from({ length: KEPT }, () => this.#callFunction(true, '/kept')),
      this.#callFunction(false, '/fresh'),
      this.#callFunction(true, '/slow'),
      this.#callApi(),
    ])
  }

  async stop(): Promise<{ failures: string[]; answered: number; summary: string }> {
    this.#isOver = true
    await this.#calling
    const summary = describeTimes(this.#times)
    return { failures: this.#failures, answered: this.#times.length, summary }
  }

  #callFunction(keepAlive: boolean, path: string): Promise<void> {
    const host = `steady.localhost:${this.#platform.port}`
    return this.#repeat(`${keepAlive ? 'kept' : 'fresh'} ${path}`, keepAlive, async (caller, n) => {
      const method = n % 2 ? 'POST' : 'GET'
      const body = n % 2 ? `body ${n}` : ''
      const answer = await caller.call(host, path, { method, ...(body && { body }) })
      return [answer, answer.text === `${method} ${path} ${body}`]
    })
  }

  #callApi(): Promise<void> {
    const headers = { authorization: `Bearer ${this.#platform.token}` }
    return this.#repeat('the API', true, async caller => {
      const answer = await caller.call('localhost', '/client/v4/accounts', { headers })
      return [answer, answer.text.includes('"success":true')]
    })
  }

  async #repeat(
    what: string,
    keepAlive: boolean,
    call: (caller: Caller, n: number) => Promise<[Answer, boolean]>,
  ): Promise<void> {
    const caller = new Caller({ port: this.#platform.port }, { keepAlive })
    for (let n = 0; !this.#isOver; n++) {
      const [{ status, text, ms }, isRight] = await call(caller, n)
      if (status === 200 && isRight) this.#times.push(ms)
      else {
        const sent = new Date(Date.now() - ms).toISOString()
        this.#failures.push(`${sent} ${what}, request ${n}: ${status} ${text.slice(0, 200)}`)
      }
      await delay(5)
    }
    caller.close()
  }
}
