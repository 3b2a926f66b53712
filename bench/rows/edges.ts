import { availableParallelism } from 'node:os'
import { Api } from '../api.ts'
import { Connection, sendMany, toRequest } from '../client.ts'
import { readCpuUs } from '../cpu.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { type Platform, readFunctionSource, startPlatform } from '../servers.ts'
import { quantile, spreadOf } from '../stats.ts'

/** Enough that each edge always has some to answer, however the system deals them out. */
const CONNECTIONS = 32
const SLICE_REQUESTS = 250
const ROUNDS = 8

interface Slice {
  readonly rps: number
  /** Of one core. */
  readonly clientShare: number
  /** The busiest edge's part of the edges' time; 1 = one did everything. */
  readonly busiestPart: number
}

/** Two edges against one, on a function that computes for about 5 ms. Nothing is pinned: every core is needed. */
export async function measureEdges(): Promise<Row[]> {
  await using cleanup = new AsyncDisposableStack()
  const one = await open(2, cleanup)
  const two = await open(3, cleanup)
  const rounds: { one: Slice; two: Slice }[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const [first, second] = i % 2 === 0 ? [one, two] : [two, one]
    const [firstSlice, secondSlice] = [await first(), await second()]
    rounds.push(first === one ? { one: firstSlice, two: secondSlice } : { one: secondSlice, two: firstSlice })
  }
  const median = (edges: 'one' | 'two', key: keyof Slice) =>
    quantile(
      rounds.map(round => round[edges][key]),
      0.5,
    )
  const { q1, median: ratio, q3 } = spreadOf(rounds.map(({ one, two }) => two.rps / one.rps))
  const describe = (edges: 'one' | 'two') =>
    `client ${(median(edges, 'clientShare') * 100).toFixed(0)} % of a core of ${availableParallelism()}`
  return [
    {
      row: 'edges',
      what: 'computing function, two edges against one',
      value: median('two', 'rps'),
      unit: 'req/s',
      ratio,
      spread: `ratio's quartiles ${q1.toFixed(2)}–${q3.toFixed(2)}, ${describe('two')}, the busier edge did ${(median('two', 'busiestPart') * 100).toFixed(0)} %`,
      // The client, state and supervisor want some of the cores, too.
      budget: { of: 'ratio', atLeast: 1.7 },
    },
    {
      row: 'edges',
      what: 'computing function, one edge',
      value: median('one', 'rps'),
      unit: 'req/s',
      spread: describe('one'),
    },
  ]
}

const REQUEST = toRequest('bench.localhost')
const EXPECTED = { status: 200, body: 'hello\n' }

/** Starts a platform of so many processes; the function it returns measures one slice. */
async function open(processes: number, cleanup: AsyncDisposableStack): Promise<() => Promise<Slice>> {
  const dir = cleanup.use(makeTempDir())
  const platform = cleanup.adopt(await startPlatform(dir.path, processes), server => server.stop())
  const api = await Api.open(platform)
  await api.deploy('bench', readFunctionSource('busy'))
  api.close()
  const connections: Connection[] = []
  cleanup.defer(() => {
    for (const connection of connections) connection.close()
  })
  // One after the other, each with a request: of many at once an idle edge takes all.
  for (let i = 0; i < CONNECTIONS; i++) {
    const connection = await Connection.open(platform.port)
    await sendMany([connection], REQUEST, 1, EXPECTED)
    connections.push(connection)
  }
  return () => measureSlice(platform, connections)
}

async function measureSlice({ pids }: Platform, connections: readonly Connection[]): Promise<Slice> {
  const before = pids.map(pid => readCpuUs([pid]) ?? 0)
  const clientBefore = process.cpuUsage()
  const startedAtMs = performance.now()
  await sendMany(connections, REQUEST, SLICE_REQUESTS, EXPECTED)
  const ms = performance.now() - startedAtMs
  const { user, system } = process.cpuUsage(clientBefore)
  const edges = pids.map((pid, i) => (readCpuUs([pid]) ?? 0) - (before[i] ?? 0))
  return {
    rps: (SLICE_REQUESTS / ms) * 1000,
    clientShare: (user + system) / 1000 / ms,
    busiestPart: Math.max(...edges) / edges.reduce((sum, us) => sum + us, 0),
  }
}
