import { Api } from '../api.ts'
import { Connection, toRequest } from '../client.ts'
import { pinToCores } from '../cpu.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { readFunctionSource, startFixture, startPlatform } from '../servers.ts'
import { quantile } from '../stats.ts'

/** Scripts that are called for the first time, of each kind. */
const SCRIPTS = 100
const WARM_UP = 10

/**
 * The first request to a script whose isolate doesn't exist, against the bare loader with the code at hand:
 * after a restart, when the edge has nothing in memory, and right after the deploy.
 */
export async function measureColdStart(): Promise<Row[]> {
  using _pinned = pinToCores()
  using dir = makeTempDir()
  const deployed = await measureAfter(dir.path, 'deploy')
  const restarted = await measureAfter(dir.path, 'restart')
  return [...toRows('just deployed', deployed), ...toRows('after a restart', restarted)]
}

interface Times {
  readonly platform: number[]
  readonly bare: number[]
}

/** Scripts `deploy-n` are called by the process that took their upload, `restart-n` by the next one. */
async function measureAfter(dataDir: string, what: 'deploy' | 'restart'): Promise<Times> {
  await using cleanup = new AsyncDisposableStack()
  const platform = cleanup.adopt(await startPlatform(dataDir), server => server.stop())
  const bare = cleanup.adopt(await startFixture('bare-loader-cold'), server => server.stop())
  if (what === 'deploy') {
    const api = cleanup.adopt(await Api.open(platform), api => api.close())
    for (let i = 0; i < SCRIPTS + WARM_UP; i++) {
      for (const kind of ['deploy', 'restart']) {
        await api.deploy(`${kind}-${i}`, `${readFunctionSource()}// ${kind} ${i}\n`)
      }
    }
  }
  const toPlatform = cleanup.adopt(await Connection.open(platform.port), c => c.close())
  const toBare = cleanup.adopt(await Connection.open(bare.port), c => c.close())
  const times: Times = { platform: [], bare: [] }
  for (let i = 0; i < SCRIPTS + WARM_UP; i++) {
    // The same host to both: to the bare loader it is only a name.
    const request = toRequest(`${what}-${i}.localhost`)
    const [first, second] = i % 2 === 0 ? [toPlatform, toBare] : [toBare, toPlatform]
    const firstMs = await time(first, request)
    const secondMs = await time(second, request)
    if (i < WARM_UP) continue
    times.platform.push(first === toPlatform ? firstMs : secondMs)
    times.bare.push(first === toPlatform ? secondMs : firstMs)
  }
  return times
}

async function time(connection: Connection, request: string): Promise<number> {
  const startedAtMs = performance.now()
  const { status, body } = await connection.send(request)
  const ms = performance.now() - startedAtMs
  if (status !== 200) throw new Error(`a cold start answered ${status}: ${body}`)
  return ms
}

function toRows(what: string, { platform, bare }: Times): Row[] {
  const row = 'cold-start'
  const [platformP50, bareP50] = [quantile(platform, 0.5), quantile(bare, 0.5)]
  return [
    {
      row,
      what: `cold start p50, ${what}`,
      value: platformP50,
      unit: 'ms',
      ratio: platformP50 / bareP50,
      spread: describe(platform),
      budget: { of: 'ratio', atMost: 1.15 },
    },
    {
      row,
      what: 'cold start p50, bare loader beside it',
      value: bareP50,
      unit: 'ms',
      spread: describe(bare),
    },
  ]
}

function describe(times: readonly number[]): string {
  const at = (share: number) => quantile(times, share).toFixed(2)
  return `quartiles ${at(0.25)}–${at(0.75)}, p95 ${at(0.95)}`
}
