import { DEFAULT_PATHS, normalisePath } from '../../routes/gateway/path.ts'
import { GatewayTable } from '../../routes/gateway/table.ts'
import { destinationOf } from '../../src/destination.ts'
import type { Row } from '../row.ts'
import { spreadOf } from '../stats.ts'

const ROW = 'routing'
const SIZES = [10, 1000, 10_000] as const
/** Of each size there are as many tables, in turns, so that one that lies badly in memory decides nothing. */
const TABLES = 3
const ROUNDS = 60
/** Different requests, each for another route, spread evenly over the table; for `all` there are as many as routes. */
const REQUESTS = 10
/** Of one slice. */
const SLICE_REQUESTS = 4000

/**
 * What it takes to find a request's route, in this process: split the URL, normalise the path, match. Routes of an
 * API, ten to a host: half of them literal, half with parameters.
 */
export async function measureRouting(): Promise<Row[]> {
  return KINDS.flatMap(measureKind)
}

const KINDS = ['literal', 'param', 'miss', 'all'] as const
type Kind = (typeof KINDS)[number]

function measureKind(kind: Kind): Row[] {
  const slices = SIZES.map(size => Array.from({ length: TABLES }, () => createSlice(size, kind)))
  for (const slice of slices.flat()) for (let i = 0; i < 20; i++) slice()
  const rounds = Array.from({ length: ROUNDS }, (_, round) => {
    // Forward and backward, so that none profits from what ran before it.
    const order = round % 2 === 0 ? slices : slices.toReversed()
    const times = order.map(tables => tables[round % TABLES]?.() ?? Number.NaN)
    return round % 2 === 0 ? times : times.toReversed()
  })
  const base = rounds.map(([ns = Number.NaN]) => ns)
  return SIZES.map((size, i) => {
    const times = rounds.map(round => round[i] ?? Number.NaN)
    const { q1, median, q3 } = spreadOf(times)
    const ratio = spreadOf(times.map((ns, round) => ns / (base[round] ?? Number.NaN))).median
    const row: Row = {
      row: ROW,
      what: `${WHAT[kind]}, ${size.toLocaleString('en')} routes`,
      value: median,
      unit: 'ns',
      spread: `quartiles ${q1.toFixed(0)}–${q3.toFixed(0)}`,
    }
    if (i === 0) return row
    // What is asked rarely is in no cache of the processor, neither routes nor the requests of this bench.
    if (kind === 'all') return { ...row, ratio }
    return size === 10_000 ? { ...row, ratio, budget: { of: 'ratio', atMost: 1.2 } } : { ...row, ratio }
  })
}

const WHAT: Readonly<Record<Kind, string>> = {
  literal: 'literal route',
  param: 'route with parameters',
  miss: 'no route',
  all: 'every route in turn',
}

/** A function that asks a table of this size, and gives nanoseconds per request. */
function createSlice(size: number, kind: Kind): () => number {
  const table = new GatewayTable<number>()
  const entries = Array.from({ length: size }, (_, i) => ({
    route: { match: patternOf(i), priority: 0 },
    value: i,
  }))
  table.set('bench', entries, { paths: DEFAULT_PATHS, workersDomain: 'localhost' })
  const requests = kind === 'all' ? size : REQUESTS
  const repeats = Math.max(1, SLICE_REQUESTS / requests)
  const asked = Array.from({ length: requests }, (_, i) => {
    const index = Math.floor((i * size) / requests)
    return kind === 'all' ? index : index - (index % 2) + (kind === 'param' ? 1 : 0)
  })
  const urls = asked.map(index => urlOf(index, kind))
  const request = { method: 'GET', headers: { get: () => null }, url: '' }
  return () => {
    let sum = 0
    const startedAtMs = performance.now()
    for (let i = 0; i < repeats; i++) {
      for (const url of urls) {
        const { host, path } = destinationOf(url)
        const normal = normalisePath(path)
        if (normal.refused === undefined) sum += table.match(host, normal.path, request)?.value ?? -1
      }
    }
    const ns = ((performance.now() - startedAtMs) * 1e6) / (repeats * requests)
    const expected = kind === 'miss' ? -requests : asked.reduce((total, index) => total + index, 0)
    if (sum !== expected * repeats) throw new Error(`the table of ${size} routes found wrong ones`)
    return ns
  }
}

const hostOf = (index: number) => `h${Math.floor(index / 10)}.example.com`

/** Routes of even places are literal, others have parameters. */
function patternOf(index: number): string {
  const at = `${hostOf(index)}/api/v1/things${index % 10}`
  return index % 2 === 0 ? `${at}/list/all` : `${at}/:thing/parts/:part`
}

function urlOf(index: number, kind: Kind): string {
  const at = `https://${hostOf(index)}/api/v1/things${index % 10}`
  if (kind === 'miss') return `${at}/list/none?page=2`
  const isLiteral = kind === 'all' ? index % 2 === 0 : kind === 'literal'
  return isLiteral ? `${at}/list/all?page=2` : `${at}/12345/parts/67?page=2`
}
