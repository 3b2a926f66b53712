import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { edgesOf } from './edges.ts'
import { type RunningPlatform, startPlatform } from './platform.ts'
import { type BatchRecord, QueueLedger, type QueueVerdict } from './queue-ledger.ts'
import { createRandom } from './random.ts'

/** How hard to try. */
export interface StressOptions {
  readonly messages: number
  readonly kills: number
  readonly seed: number
  readonly log: (line: string) => void
}

/** What happened. */
export interface StressReport extends QueueVerdict {
  readonly kills: Readonly<Record<string, number>>
  readonly refusedSends: number
  readonly sendSeconds: number
  /** From the first message sent to the last one ended. */
  readonly seconds: number
  readonly messagesPerSecond: number
}

const MAX_RETRIES = 15
const isPoison = (n: number) => n % 1000 === 7

/**
 * Sends messages through a consumer that fails one in twenty while a process is killed now and then. The consumer
 * notes each delivery in a queue of its own, which is pulled here: so that what it notes is as durable as the rest.
 */
const SOURCE = `export default {
  async fetch(request, env) {
    const { from, count } = await request.json()
    const messages = Array.from({ length: count }, (_, i) => ({ body: { n: from + i } }))
    for (let i = 0; i < count; i += 100) await env.WORK.sendBatch(messages.slice(i, i + 100))
    return new Response('ok')
  },
  async queue(batch, env) {
    const startedMs = Date.now()
    const entries = batch.messages.map(m => {
      const fails = m.body.n % 1000 === 7 || Math.random() < 0.05
      return [m.body.n, m.id, m.attempts, fails ? 0 : 1]
    })
    await env.NOTES.send({ startedMs, entries })
    batch.messages.forEach((m, i) => (entries[i][3] ? m.ack() : m.retry()))
    if (Math.random() < 0.02) throw new Error('the handler fails after its verdict')
  },
}`

/** Runs it on a platform of its own. */
export async function stress({ messages, kills, seed, log }: StressOptions): Promise<StressReport> {
  const random = createRandom(seed)
  const dataDir = mkdtempSync(join(tmpdir(), 'skerry-queue-'))
  const platform = await startPlatform('start', { dataDir, env: { SKERRY_PROCESSES: '3' } })
  const ledger = new QueueLedger()
  const killed: Record<string, number> = {}
  const abort = new AbortController()
  try {
    const ids = await prepare(platform)
    const started = performance.now()
    const killing = killNowAndThen(platform, kills, messages, random, killed, abort.signal)
    // However fast the machine is, the kills are spread over the messages.
    const done = () => Object.values(killed).reduce((sum, count) => sum + count, 0)
    const mayGoOn = (share: number) => share * kills < done() + 1
    const refused = { count: 0 }
    let sendSeconds = 0
    const sending = sendAll(platform, ledger, messages, refused, mayGoOn).then(() => {
      sendSeconds = (performance.now() - started) / 1000
    })
    let isSent = false
    void sending.then(() => {
      isSent = true
    })
    let quietMs = performance.now()
    let loggedMs = 0
    for (;;) {
      const seen = (await drainNotes(platform, ids, ledger)) + (await drainDead(platform, ids, ledger))
      if (seen > 0) quietMs = performance.now()
      if (performance.now() - loggedMs > 5000) {
        loggedMs = performance.now()
        log(`${ledger.open().length} open, ${JSON.stringify(killed)} kills, ${refused.count} refused`)
      }
      const isIdle = performance.now() - quietMs > 3000 && (await isEmpty(platform))
      if (isSent && isIdle) break
      if (performance.now() - quietMs > 120_000) break
      if (seen === 0) await delay(50)
    }
    const seconds = (quietMs - started) / 1000
    abort.abort()
    await Promise.allSettled([sending, killing])
    const verdict = ledger.judge(isPoison, MAX_RETRIES)
    return {
      ...verdict,
      kills: killed,
      refusedSends: refused.count,
      sendSeconds: Math.round(sendSeconds),
      seconds: Math.round(seconds),
      messagesPerSecond: Math.round(messages / seconds),
    }
  } finally {
    abort.abort()
    await platform.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function prepare(platform: RunningPlatform): Promise<Record<'notes' | 'dead', string>> {
  const create = async (name: string) => {
    const { result } = await platform.api<{ queue_id: string }>('POST', '$A/queues', { queue_name: name })
    return result.queue_id
  }
  const [work, notes, dead] = [await create('work'), await create('notes'), await create('dead')]
  const bindings = [
    { type: 'queue', name: 'WORK', queue_name: 'work' },
    { type: 'queue', name: 'NOTES', queue_name: 'notes' },
  ]
  await platform.upload('worker', SOURCE, { bindings })
  const settings = { batch_size: 100, max_wait_time_ms: 500, max_retries: MAX_RETRIES }
  const consumer = { type: 'worker', script_name: 'worker', dead_letter_queue: 'dead', settings }
  const pull = { type: 'http_pull', settings: { visibility_timeout_ms: 30_000, max_retries: 100 } }
  for (const [id, body] of [
    [work, consumer],
    [notes, pull],
    [dead, pull],
  ] as const) {
    const answer = await platform.api('POST', `$A/queues/${id}/consumers`, body)
    if (!answer.success) throw new Error(JSON.stringify(answer.errors))
  }
  return { notes, dead }
}

/** Until all are acknowledged: what a refused call sent of its messages is sent again. */
async function sendAll(
  platform: RunningPlatform,
  ledger: QueueLedger,
  messages: number,
  refused: { count: number },
  mayGoOn: (share: number) => boolean,
): Promise<void> {
  const size = 500
  let next = 0
  const send = async () => {
    while (next < messages) {
      while (!mayGoOn(next / messages)) await delay(20)
      const from = next
      next += size
      const count = Math.min(size, messages - from)
      while (!(await sendOnce(platform, from, count))) {
        refused.count++
        await delay(50)
      }
      ledger.sent(Array.from({ length: count }, (_, i) => from + i))
    }
  }
  await Promise.all(Array.from({ length: 4 }, send))
}

async function sendOnce(platform: RunningPlatform, from: number, count: number): Promise<boolean> {
  try {
    const body = JSON.stringify({ from, count })
    return (await platform.call('worker', '/', { method: 'POST', body })).status === 200
  } catch {
    return false
  }
}

interface Pulled {
  readonly messages: readonly { id: string; body: string; lease_id: string; attempts: number }[]
}

const pulled = new Set<string>()

async function drain(
  platform: RunningPlatform,
  queue: string,
  take: (body: unknown, id: string) => void,
): Promise<number> {
  const path = `$A/queues/${queue}/messages`
  try {
    const { result } = await platform.api<Pulled>('POST', `${path}/pull`, { batch_size: 100 })
    if (!result || result.messages.length === 0) return 0
    for (const { body, id, attempts } of result.messages) {
      // Pulled again because an acknowledgement was lost: it was taken then. Another of the same id is a duplicate.
      if (attempts === 1 || !pulled.has(id)) take(JSON.parse(atob(body)), id)
      pulled.add(id)
    }
    const acks = result.messages.map(({ lease_id }) => ({ lease_id }))
    await platform.api('POST', `${path}/ack`, { acks })
    return result.messages.length
  } catch {
    return 0
  }
}

function drainNotes(platform: RunningPlatform, { notes }: { notes: string }, ledger: QueueLedger) {
  return drain(platform, notes, body => ledger.record(body as BatchRecord))
}

function drainDead(platform: RunningPlatform, { dead }: { dead: string }, ledger: QueueLedger) {
  return drain(platform, dead, (body, id) => ledger.dead((body as { n: number }).n, id))
}

async function isEmpty(platform: RunningPlatform): Promise<boolean> {
  try {
    const { body } = await platform.v1<{ backlog_count: number; leaving: number }[]>('GET', '$A/queues')
    return body.every(({ backlog_count, leaving }) => backlog_count === 0 && leaving === 0)
  } catch {
    return false
  }
}

async function killNowAndThen(
  platform: RunningPlatform,
  kills: number,
  messages: number,
  random: () => number,
  killed: Record<string, number>,
  signal: AbortSignal,
): Promise<void> {
  const pauseMs = Math.max(700, messages / 12 / Math.max(1, kills))
  for (let done = 0; done < kills && !signal.aborted; ) {
    await delay(pauseMs * (0.5 + random()), undefined, { signal }).catch(() => {})
    const edges = edgesOf(platform)
    const victim = random() < 0.5 ? 'state' : (edges[Math.floor(random() * edges.length)] ?? 'state')
    const pid = platform.processes()[victim]
    if (pid === undefined) continue
    process.kill(pid, 'SIGKILL')
    done++
    const kind = victim === 'state' ? 'state' : 'edge'
    killed[kind] = (killed[kind] ?? 0) + 1
  }
}
