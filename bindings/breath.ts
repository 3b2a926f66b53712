import { waitUntil } from 'cloudflare:workers'

/** How long calls between functions may go on before the process looks for I/O again, in milliseconds. */
const BREATH_MS = 10
/** How many may: one of them can take long. */
const BREATH_CALLS = 64
/** Of those that wait, so many of each account go on at each look. */
const BATCH_CALLS = 32
/** After this long a pump that doesn't work is replaced. */
const PATIENCE_MS = 1000

/**
 * To be awaited before a call from one function to another, if there is something to await: mostly there isn't.
 *
 * workerd looks for I/O only when nothing is left to do inside the process. Calls that never leave it, one after
 * the other without end or a thousand at once, would keep it from its sockets. So after a few of them all wait
 * for a timer of no time at all, which comes with the next look: 15 µs in a process with nothing else to do.
 */
export function breathe(accountId: string): Promise<unknown> | undefined {
  if (waiting.size === 0 && calls < BREATH_CALLS && isFresh()) {
    calls++
    return undefined
  }
  const { promise, resolve } = Promise.withResolvers<void>()
  const queue = waiting.get(accountId) ?? []
  if (queue.length === 0) waiting.set(accountId, queue)
  const isNth = queue.push(resolve) % BATCH_CALLS === 1
  if (pump === undefined) waitUntil(runPump())
  // Of the same depth as the other: calls go on in the order they came.
  if (!isNth) return Promise.race([promise])
  // The pump belongs to the call that began it, and may be given up with it. One of those that go on together
  // would notice: a timer for each costs a tenth of a call.
  return Promise.race([promise, replacePump(queue, resolve)])
}

/** Who waits, by account: a call of one needn't wait for a thousand of another. */
const waiting = new Map<string, (() => void)[]>()
/** The one that runs, if one does. */
let pump: symbol | undefined
/** When it began, or had somebody go on. */
let pumpedMs = 0
let breathedMs = 0
/** Since then. */
let calls = 0

/** As long as this one waits, there shall be a pump that works. */
async function replacePump(queue: readonly (() => void)[], resolve: () => void): Promise<void> {
  for (;;) {
    await scheduler.wait(PATIENCE_MS)
    if (!queue.includes(resolve)) return
    if (Date.now() - pumpedMs >= PATIENCE_MS) await runPump()
  }
}

async function runPump(): Promise<void> {
  const self = Symbol('pump')
  pump = self
  pumpedMs = Date.now()
  while (waiting.size > 0) {
    await scheduler.wait(0)
    breathedMs = pumpedMs = Date.now()
    calls = 0
    for (const [accountId, queue] of waiting) {
      if (queue.length <= BATCH_CALLS) waiting.delete(accountId)
      for (const resolve of queue.splice(0, BATCH_CALLS)) resolve()
    }
    // It took so long that another one took over.
    if (pump !== self) return
  }
  pump = undefined
}

function isFresh(): boolean {
  const sinceMs = Date.now() - breathedMs
  // Less than nothing: the clock was set back.
  return sinceMs >= 0 && sinceMs < BREATH_MS
}
