import type { Ledger } from './contract-driver.ts'
import { DELIVERIES, REFUSALS, VERDICTS } from './queue-cases.ts'

/**
 * A Worker that tries every call of a producer, and is the consumer. It runs on the native binding and on ours;
 * `test/contract/queue.test.ts` compares.
 */

interface Env {
  readonly EVENTS: Queue
  /** Nobody's messages: some of what ours refuses is taken natively. */
  readonly REFUSED: Queue
  readonly PAIRS: Queue
  /** Where what the consumer got is kept, if it may run in another process than those who ask. */
  readonly LEDGER?: DurableObjectNamespace<Ledger>
}

interface Pair {
  readonly verdict: string
  readonly place: 0 | 1
}

const memory = new Map<string, unknown[]>()
const inMemory = {
  add: (key: string, lines: readonly unknown[]) => memory.set(key, [...inMemory.read(key), ...lines]),
  read: (key: string) => memory.get(key) ?? [],
  clear: (key: string) => memory.delete(key),
}
const ledgerOf = ({ LEDGER }: Env) => LEDGER?.getByName('ledger') ?? inMemory

export default {
  async fetch(request, env): Promise<Response> {
    const part = new URL(request.url).pathname.split('/').at(-1)
    switch (part) {
      case 'refusals':
        return Response.json(await seeAll(REFUSALS, env.REFUSED))
      case 'deliveries':
        return Response.json(await deliverAll(env))
      case 'verdicts':
        return Response.json(await judgeAll(env))
    }
    return new Response(null, { status: 404 })
  },
  async queue(batch, env): Promise<void> {
    const ledger = ledgerOf(env)
    if (batch.queue === 'events') {
      await ledger.add(
        'events',
        batch.messages.map(({ attempts, body }) => [attempts, show(body)]),
      )
      return
    }
    const [first, second] = batch.messages as Message<Pair>[]
    for (const { body, attempts } of batch.messages as Message<Pair>[]) {
      const line = batch.queue === 'dead' ? `${body.place} is dead` : `${body.place} at attempt ${attempts}`
      await ledger.add(body.verdict, [line])
    }
    if (batch.queue === 'dead' || !first) return
    const { verdict } = first.body
    if (first.attempts > 1 && !verdict.endsWith('for ever')) return
    VERDICTS[verdict]?.(batch, first, second ?? first)
  },
} satisfies ExportedHandler<Env>

async function seeAll(cases: typeof REFUSALS, queue: Queue): Promise<[string, unknown][]> {
  const results: [string, unknown][] = []
  for (const [name, run] of Object.entries(cases)) {
    try {
      const value = await run(queue)
      const isTaken = typeof value === 'object' && value !== null && 'metadata' in value
      results.push([name, isTaken ? 'taken' : { value: show(value) }])
    } catch (error) {
      const { name: kind, message } = error as Error
      results.push([name, { error: `${kind}: ${message}`, own: Object.keys(error as Error) }])
    }
  }
  return results
}

async function deliverAll(env: Env): Promise<[string, unknown][]> {
  const results: [string, unknown][] = []
  const [queue, ledger] = [env.EVENTS, ledgerOf(env)]
  for (const [name, run] of Object.entries(DELIVERIES)) {
    await ledger.clear('events')
    try {
      const answer = (await run(queue)) as { metadata: { metrics: { oldestMessageTimestamp?: Date } } }
      const { backlogCount, backlogBytes, oldestMessageTimestamp } = answer.metadata.metrics as Record<
        string,
        unknown
      >
      await untilEmpty(queue)
      const seen = (await ledger.read('events')).toSorted((a, b) =>
        JSON.stringify(a).localeCompare(JSON.stringify(b)),
      )
      // Newer dates have a longer form of errors, which says the same.
      const bytes = name === 'v8: errors' ? 'some' : backlogBytes
      results.push([name, { backlogCount, bytes, oldest: oldestMessageTimestamp instanceof Date, seen }])
    } catch (error) {
      results.push([name, { error: String(error) }])
    }
  }
  return results
}

/** `max_retries` is 2. */
const LAST_ATTEMPT = 'at attempt 3'

async function judgeAll(env: Env): Promise<[string, unknown][]> {
  const results: [string, unknown][] = []
  const [queue, ledger] = [env.PAIRS, ledgerOf(env)]
  for (const verdict of Object.keys(VERDICTS)) {
    await queue.sendBatch(([0, 1] as const).map(place => ({ body: { verdict, place } })))
    await untilEmpty(queue)
    const lines = async () => (await ledger.read(verdict)) as string[]
    const count = async (end: string) => (await lines()).filter(line => line.endsWith(end)).length
    // Each that failed for the last time is still to come as a dead letter.
    while (verdict.endsWith('for ever') && (await count('dead')) < Math.max(1, await count(LAST_ATTEMPT)))
      await scheduler.wait(10)
    results.push([verdict, (await lines()).toSorted()])
  }
  return results
}

async function untilEmpty(queue: Queue): Promise<void> {
  while ((await queue.metrics()).backlogCount > 0) await scheduler.wait(5)
}

/** A value as JSON that tells values apart which JSON doesn't. */
function show(value: unknown, seen: unknown[] = []): unknown {
  if (typeof value === 'string')
    return value.isWellFormed() ? value : { units: [...value].map(c => c.charCodeAt(0)) }
  if (value === null || typeof value === 'boolean') return value
  if (typeof value !== 'object') return { [typeof value]: Object.is(value, -0) ? '-0' : String(value) }
  const known = seen.indexOf(value)
  if (known >= 0) return { again: known }
  seen.push(value)
  const inner = (item: unknown) => show(item, seen)
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (value instanceof Error) return { Error: value.name, message: value.message, cause: inner(value.cause) }
  if (value instanceof Date) return { Date: Number.isNaN(value.getTime()) ? 'NaN' : value.getTime() }
  if (value instanceof RegExp) return { RegExp: String(value) }
  if (value instanceof Map) return { Map: [...value].map(([k, v]) => [inner(k), inner(v)]) }
  if (value instanceof Set) return { Set: [...value].map(inner) }
  if (value instanceof ArrayBuffer) return { ArrayBuffer: digest(new Uint8Array(value)) }
  if (ArrayBuffer.isView(value)) {
    return { [kind]: [value.byteOffset, value.byteLength], of: inner(value.buffer) }
  }
  if (kind !== 'Object' && kind !== 'Array') return { [kind]: String(value) }
  return { [kind]: Object.keys(value).map(key => [key, inner((value as Record<string, unknown>)[key])]) }
}

function digest(bytes: Uint8Array): unknown {
  return bytes.length > 100 ? `${bytes.length} bytes` : [...bytes]
}
