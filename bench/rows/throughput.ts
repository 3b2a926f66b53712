import { Api } from '../api.ts'
import { Connection, sendMany, toRequest } from '../client.ts'
import { pinToCores, readCpuUs } from '../cpu.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { readFunctionSource, type Server, startFixture, startPlatform } from '../servers.ts'
import { quantile, type Spread, spreadOf } from '../stats.ts'

const CONNECTIONS = 16
const SLICE_REQUESTS = 300
/** After fewer, V8 has compiled a function in one process and still interprets it in another. */
const WARM_UP_REQUESTS = 12_000
/** Each repetition has fresh processes: how a process happens to lie in memory is worth some per cent. */
const REPETITIONS = 4
const ROUNDS = 24

const VARIANTS = ['bare', 'platform', 'control', 'hello'] as const
type Variant = (typeof VARIANTS)[number]

interface Slice {
  readonly rps: number
  /** Time a request of all threads of the process that answers, in microseconds. */
  readonly cpuUs: number
}
type Round = Record<Variant, Slice>

/**
 * Route + function, messages untouched, against two copies of the bare loader; hello-world as the limit. Equals
 * are compared: one edge process, beside the state process that has nothing to do, and one bare-loader process.
 */
export async function measureThroughput(): Promise<Row[]> {
  using _pinned = pinToCores()
  const rounds: Round[] = []
  for (let i = 0; i < REPETITIONS; i++) rounds.push(...(await measureRounds()))
  return [
    ...toRows(rounds, 'platform', 'route + function', { of: 'ratio', atLeast: 0.92 }),
    ...toRows(rounds, 'bare', 'bare loader'),
    ...toRows(rounds, 'control', 'bare loader, second copy'),
    ...toRows(rounds, 'hello', 'hello world, no loader'),
  ]
}

async function measureRounds(): Promise<Round[]> {
  using dir = makeTempDir()
  await using servers = new AsyncDisposableStack()
  const started = async <T extends Server>(server: Promise<T>) => servers.adopt(await server, s => s.stop())
  const platform = await started(startPlatform(dir.path, 2))
  const api = await Api.open(platform)
  await api.deploy('bench', readFunctionSource())
  api.close()

  const running: Record<Variant, Server> = {
    platform,
    bare: await started(startFixture('bare-loader')),
    control: await started(startFixture('bare-loader')),
    hello: await started(startFixture('hello')),
  }
  for (const variant of VARIANTS) await warmUp(running[variant])
  const slicers = {
    bare: await prepare(running.bare, servers),
    platform: await prepare(running.platform, servers),
    control: await prepare(running.control, servers),
    hello: await prepare(running.hello, servers),
  }
  const rounds: Round[] = []
  for (let i = 0; i < ROUNDS; i++) {
    const order = i % 2 === 0 ? VARIANTS : VARIANTS.toReversed()
    const round: Partial<Round> = {}
    for (const variant of order) round[variant] = await slicers[variant]()
    rounds.push(round as Round)
  }
  return rounds
}

const REQUEST = toRequest('bench.localhost')
const ANSWER = 'hello\n'

/** Lets the server compile its hot path, over connections of its own: those that measure mustn't idle long. */
async function warmUp({ port }: Server): Promise<void> {
  const connections = await openConnections(port)
  // One alone first: the others shall find the isolate loaded.
  await sendMany(connections.slice(0, 1), REQUEST, 1, ANSWER)
  await sendMany(connections, REQUEST, WARM_UP_REQUESTS, ANSWER)
  for (const connection of connections) connection.close()
}

/** Connects; the function it returns measures one slice. */
async function prepare({ port, pids }: Server, cleanup: AsyncDisposableStack): Promise<() => Promise<Slice>> {
  const connections = await openConnections(port)
  cleanup.defer(() => {
    for (const connection of connections) connection.close()
  })
  return async () => {
    const cpuBeforeUs = readCpuUs(pids)
    const startedAtMs = performance.now()
    await sendMany(connections, REQUEST, SLICE_REQUESTS, ANSWER)
    const ms = performance.now() - startedAtMs
    const cpuAfterUs = readCpuUs(pids)
    const cpuUs =
      cpuBeforeUs === undefined || cpuAfterUs === undefined ? Number.NaN : cpuAfterUs - cpuBeforeUs
    return { rps: (SLICE_REQUESTS / ms) * 1000, cpuUs: cpuUs / SLICE_REQUESTS }
  }
}

function openConnections(port: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(port)))
}

function toRows(rounds: readonly Round[], variant: Variant, what: string, budget?: Row['budget']): Row[] {
  const rps = ratiosOf(rounds, variant, slice => slice.rps)
  const cpu = ratiosOf(rounds, variant, slice => slice.cpuUs)
  const median = (key: keyof Slice) =>
    quantile(
      rounds.map(round => round[variant][key]),
      0.5,
    )
  const rows: Row[] = [
    {
      row: 'throughput',
      what: `throughput, ${what}`,
      value: median('rps'),
      unit: 'req/s',
      ...describeRatio(rps),
      ...(budget && { budget }),
    },
  ]
  if (Number.isNaN(cpu.median)) return rows
  rows.push({
    row: 'throughput',
    what: `CPU a request, ${what}`,
    value: median('cpuUs'),
    unit: 'µs',
    ...describeRatio(cpu),
  })
  return rows
}

/** A variant against the geometric mean of both copies of the bare loader in the same round. */
function ratiosOf(rounds: readonly Round[], variant: Variant, read: (slice: Slice) => number): Spread {
  return spreadOf(
    rounds.map(round => read(round[variant]) / Math.sqrt(read(round.bare) * read(round.control))),
  )
}

function describeRatio({ q1, median, q3 }: Spread): Pick<Row, 'ratio' | 'spread'> {
  return { ratio: median, spread: `ratio's quartiles ${q1.toFixed(2)}–${q3.toFixed(2)}` }
}
