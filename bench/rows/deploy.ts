import { Api } from '../api.ts'
import { Connection, toRequest } from '../client.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { startPlatform } from '../servers.ts'
import { quantile } from '../stats.ts'

const TIMES = 200
const GIVE_UP_MS = 5000

/** From the acknowledgement of an upload to the first answer of the new version by every edge, cold starts included. */
export async function measureDeploy(): Promise<Row[]> {
  using dir = makeTempDir()
  await using cleanup = new AsyncDisposableStack()
  const { api, edges } = await openPlatform(dir.path, cleanup)
  const calls: number[] = []
  const lives: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const sentAtMs = performance.now()
    await api.deploy('bench', toVersion(`version ${i}`))
    const acknowledgedAtMs = performance.now()
    await waitForAnswers(edges, `version ${i}`)
    calls.push(acknowledgedAtMs - sentAtMs)
    lives.push(performance.now() - acknowledgedAtMs)
  }
  return [
    {
      row: 'deploy',
      what: 'deploy acknowledged → every edge answers it, p99',
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

/** From sending the request that moves the traffic to the first answer of the other version by every edge. */
export async function measureRollback(): Promise<Row[]> {
  using dir = makeTempDir()
  await using cleanup = new AsyncDisposableStack()
  const { api, edges } = await openPlatform(dir.path, cleanup)
  const versions: { text: string; id: string }[] = []
  for (const text of ['version a', 'version b']) {
    await api.deploy('bench', toVersion(text))
    versions.push({ text, id: await api.liveVersion('bench') })
  }
  const times: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const to = versions[i % 2]
    if (!to) throw new Error('there are two versions')
    const sentAtMs = performance.now()
    // Asked all the while: the first answer may come before the acknowledgement.
    const [answeredAtMs] = await Promise.all([waitForAnswers(edges, to.text), api.roll('bench', to.id)])
    times.push(answeredAtMs - sentAtMs)
    for (const edge of edges) {
      const { body } = await edge.send(REQUEST)
      if (body !== to.text) throw new Error(`after the rollback to ${to.text} was acknowledged: ${body}`)
    }
  }
  return [
    {
      row: 'rollback',
      what: 'rollback sent → every edge answers the old one, p99',
      value: quantile(times, 0.99),
      unit: 'ms',
      spread: describe(times),
      budget: { of: 'value', atMost: 50 },
    },
  ]
}

const REQUEST = toRequest('bench.localhost')

/** A connection to each edge: by the public port it would be chance which one answers. */
async function openPlatform(
  dataDir: string,
  cleanup: AsyncDisposableStack,
): Promise<{ api: Api; edges: Connection[] }> {
  const platform = cleanup.adopt(await startPlatform(dataDir), server => server.stop())
  const api = cleanup.adopt(await Api.open(platform), api => api.close())
  const open = async (path: string) => cleanup.adopt(await Connection.open(path), c => c.close())
  return { api, edges: await Promise.all(platform.fronts.map(open)) }
}

function toVersion(text: string): string {
  return `export default { fetch() { return new Response(${JSON.stringify(text)}) } }\n`
}

/** Asks each again and again; resolves to the time when the last of them gave this body. */
async function waitForAnswers(edges: readonly Connection[], body: string): Promise<number> {
  return Math.max(...(await Promise.all(edges.map(edge => waitForAnswer(edge, body)))))
}

async function waitForAnswer(edge: Connection, body: string): Promise<number> {
  const endMs = performance.now() + GIVE_UP_MS
  for (;;) {
    const reply = await edge.send(REQUEST)
    const nowMs = performance.now()
    if (reply.body === body) return nowMs
    if (nowMs > endMs) throw new Error(`"${body}" did not answer within ${GIVE_UP_MS} ms, but ${reply.body}`)
  }
}

function describe(times: readonly number[]): string {
  const at = (share: number) => quantile(times, share).toFixed(1)
  return `p50 ${at(0.5)}, p99 ${at(0.99)}, most ${at(1)}`
}
