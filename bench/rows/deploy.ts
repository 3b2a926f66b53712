import { Api } from '../api.ts'
import { Connection, toRequest } from '../client.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { type Platform, startPlatform } from '../servers.ts'
import { quantile } from '../stats.ts'

const TIMES = 120
const GIVE_UP_MS = 5000

/** From the acknowledgement of an upload to the first answer of the new version, its cold start included. */
export async function measureDeploy(): Promise<Row[]> {
  using dir = makeTempDir()
  await using cleanup = new AsyncDisposableStack()
  const { api, connection } = await openPlatform(dir.path, cleanup)
  const request = toRequest('bench.localhost')
  const calls: number[] = []
  const lives: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const sentAtMs = performance.now()
    await api.deploy('bench', toVersion(`version ${i}`))
    const acknowledgedAtMs = performance.now()
    await waitForAnswer(connection, request, `version ${i}`)
    calls.push(acknowledgedAtMs - sentAtMs)
    lives.push(performance.now() - acknowledgedAtMs)
  }
  return [
    {
      row: 'deploy',
      what: 'deploy acknowledged → new version answers, p99',
      value: quantile(lives, 0.99),
      unit: 'ms',
      spread: describe(lives),
      budget: { of: 'value', atMost: 100 },
    },
    {
      row: 'deploy',
      what: 'the deploy call itself, p50',
      value: quantile(calls, 0.5),
      unit: 'ms',
      spread: describe(calls),
    },
  ]
}

/** From sending the request that moves the traffic to the first answer of the other version. */
export async function measureRollback(): Promise<Row[]> {
  using dir = makeTempDir()
  await using cleanup = new AsyncDisposableStack()
  const { api, connection } = await openPlatform(dir.path, cleanup)
  const versions: { text: string; id: string }[] = []
  for (const text of ['version a', 'version b']) {
    await api.deploy('bench', toVersion(text))
    versions.push({ text, id: await api.liveVersion('bench') })
  }
  const request = toRequest('bench.localhost')
  const times: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const to = versions[i % 2]
    if (!to) throw new Error('there are two versions')
    const sentAtMs = performance.now()
    // Asked all the while: the first answer may come before the acknowledgement.
    const [answeredAtMs] = await Promise.all([
      waitForAnswer(connection, request, to.text),
      api.roll('bench', to.id),
    ])
    times.push(answeredAtMs - sentAtMs)
    const { body } = await connection.send(request)
    if (body !== to.text) throw new Error(`after the rollback to ${to.text} was acknowledged: ${body}`)
  }
  return [
    {
      row: 'rollback',
      what: 'rollback sent → old version answers, p99',
      value: quantile(times, 0.99),
      unit: 'ms',
      spread: describe(times),
      budget: { of: 'value', atMost: 50 },
    },
  ]
}

async function openPlatform(
  dataDir: string,
  cleanup: AsyncDisposableStack,
): Promise<{ platform: Platform; api: Api; connection: Connection }> {
  const platform = cleanup.adopt(await startPlatform(dataDir), server => server.stop())
  const api = cleanup.adopt(await Api.open(platform), api => api.close())
  const connection = cleanup.adopt(await Connection.open(platform.port), c => c.close())
  return { platform, api, connection }
}

function toVersion(text: string): string {
  return `export default { fetch() { return new Response(${JSON.stringify(text)}) } }\n`
}

/** Asks again and again; resolves to the time of the first answer with this body. */
async function waitForAnswer(connection: Connection, request: string, body: string): Promise<number> {
  const endMs = performance.now() + GIVE_UP_MS
  for (;;) {
    const reply = await connection.send(request)
    const nowMs = performance.now()
    if (reply.body === body) return nowMs
    if (nowMs > endMs) throw new Error(`"${body}" did not answer within ${GIVE_UP_MS} ms, but ${reply.body}`)
  }
}

function describe(times: readonly number[]): string {
  const at = (share: number) => quantile(times, share).toFixed(1)
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`
}
