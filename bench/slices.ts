import { Connection, type Expected, sendMany } from './client.ts'
import { readCpuUs } from './cpu.ts'
import type { Row } from './row.ts'
import type { Server } from './servers.ts'
import { quantile, type Spread, spreadOf } from './stats.ts'

/** What is measured: a server and what it is asked. */
export interface Subject {
  readonly server: Server
  /** A whole request, or what makes the next one. */
  readonly request: string | (() => string)
  readonly expected: Expected
}

/** What one slice of requests took. */
export interface Slice {
  readonly rps: number
  /** Time a request of all threads of the process that answers, in microseconds. */
  readonly cpuUs: number
}

/** One slice of each variant, taken right after one another. */
export type Round<Variant extends string> = Readonly<Record<Variant, Slice>>

const CONNECTIONS = 16
/** Requests of one slice. */
export const SLICE_REQUESTS = 300
/** Before those, on the same connections, not measured. */
export const FIRST_REQUESTS = 48

/**
 * Measures variants in turns, forward and backward, each over 16 kept connections. All are warmed up before.
 *
 * @param warmUpRequests after fewer than some thousands, V8 has compiled a function in one process and still
 * interprets it in another
 */
export async function measureInTurns<Variant extends string>(
  subjects: Readonly<Record<Variant, Subject>>,
  rounds: number,
  warmUpRequests: (variant: Variant) => number,
): Promise<Round<Variant>[]> {
  const variants = Object.keys(subjects) as Variant[]
  for (const variant of variants) await warmUp(subjects[variant], warmUpRequests(variant))
  const measured: Round<Variant>[] = []
  for (let i = 0; i < rounds; i++) {
    const order = i % 2 === 0 ? variants : variants.toReversed()
    const round: Partial<Record<Variant, Slice>> = {}
    for (const variant of order) round[variant] = await measureSlice(subjects[variant])
    measured.push(round as Round<Variant>)
  }
  return measured
}

/** Lets the server compile its hot path, over connections of its own: those that measure mustn't idle long. */
async function warmUp({ server, request, expected }: Subject, count: number): Promise<void> {
  const connections = await openConnections(server.port)
  // One alone first: the others shall find the isolate loaded.
  await sendMany(connections.slice(0, 1), request, 1, expected)
  await sendMany(connections, request, count, expected)
  for (const connection of connections) connection.close()
}

/** Measures one slice, on connections of its own that have been used a little: those of others would idle too long. */
async function measureSlice({ server, request, expected }: Subject): Promise<Slice> {
  const connections = await openConnections(server.port)
  await sendMany(connections, request, FIRST_REQUESTS, expected)
  const cpuBeforeUs = readCpuUs(server.pids)
  const startedAtMs = performance.now()
  await sendMany(connections, request, SLICE_REQUESTS, expected)
  const ms = performance.now() - startedAtMs
  const cpuAfterUs = readCpuUs(server.pids)
  for (const connection of connections) connection.close()
  const cpuUs = cpuBeforeUs === undefined || cpuAfterUs === undefined ? Number.NaN : cpuAfterUs - cpuBeforeUs
  return { rps: (SLICE_REQUESTS / ms) * 1000, cpuUs: cpuUs / SLICE_REQUESTS }
}

function openConnections(port: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: CONNECTIONS }, () => Connection.open(port)))
}

/** How a variant's rows are called, and what it is held against: the geometric mean of these variants. */
export interface RowsOf<Variant extends string> {
  readonly row: string
  readonly what: string
  readonly variant: Variant
  readonly against: readonly Variant[]
  readonly budget?: Row['budget']
}

/** A variant's throughput and CPU, each against the same round's baselines. */
export function toRows<Variant extends string>(
  rounds: readonly Round<Variant>[],
  { row, what, variant, against, budget }: RowsOf<Variant>,
): Row[] {
  const median = (key: keyof Slice) =>
    quantile(
      rounds.map(round => round[variant][key]),
      0.5,
    )
  const ratiosOf = (key: keyof Slice): Spread =>
    spreadOf(
      rounds.map(round => {
        const product = against.reduce((all, baseline) => all * round[baseline][key], 1)
        return round[variant][key] / product ** (1 / against.length)
      }),
    )
  const rps: Row = {
    row,
    what: `throughput, ${what}`,
    value: median('rps'),
    unit: 'req/s',
    ...describeRatio(ratiosOf('rps')),
    ...(budget && { budget }),
  }
  const cpu = ratiosOf('cpuUs')
  if (Number.isNaN(cpu.median)) return [rps]
  return [
    rps,
    { row, what: `CPU a request, ${what}`, value: median('cpuUs'), unit: 'µs', ...describeRatio(cpu) },
  ]
}

function describeRatio({ q1, median, q3 }: Spread): Pick<Row, 'ratio' | 'spread'> {
  return { ratio: median, spread: `ratio's quartiles ${q1.toFixed(2)}–${q3.toFixed(2)}` }
}
