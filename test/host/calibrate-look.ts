/**
 * Prints `LAYOUT` of host/current-turn.ts for the installed workerd: `node test/host/calibrate-look.ts`.
 *
 * For when test/host/look.test.ts fails after an upgrade of workerd. It makes functions hang in each way of
 * test/host/hangs.ts, follows every pointer from the isolate that has the thread, and counts how often each pair
 * of offsets leads to the culprit's name, and to another's. The counter of turns is the number that grows by
 * the same for each request and stands still in a hang; the time of the last poll is the one that a hang stops.
 *
 * An offset that is right in all runs and wrong in none can be used. Where several are, keep the one in use, else
 * take the one whose place in workerd's source fits: `Worker::Isolate` in src/workerd/io/worker.h.
 *
 * If it says that a symbol is missing: V8's is declared in src/execution/isolate.h, the port's in
 * src/rust/kj-rs-tokio; `nm` lists what the binary has.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ACTIVE_PORT, CURRENT_ISOLATE, LAYOUT } from '../../host/current-turn.ts'
import { ProcessMemory, wordAt } from '../../host/process-memory.ts'
import { locateFirstThread, readThreadLocals } from '../../host/thread-locals.ts'
import { HANGS, idOf, request, startFunctions } from './hangs.ts'

const OTHERS = ['a', 'b', 'c', 'd']
const ISOLATE_BYTES = 4096
const OBJECT_BYTES = 1024

/** How often an offset was right, and wrong. */
class Tally {
  readonly #counts = new Map<string, { right: number; wrong: number }>()

  add(offsets: string, isRight: boolean): void {
    const count = this.#counts.get(offsets) ?? { right: 0, wrong: 0 }
    count[isRight ? 'right' : 'wrong']++
    this.#counts.set(offsets, count)
  }

  print(title: string, runs: number, inUse: string): void {
    console.log(`\n${title} (in use: ${inUse})`)
    const rows = [...this.#counts].sort(([, a], [, b]) => b.right - a.right || a.wrong - b.wrong)
    for (const [offsets, { right, wrong }] of rows.slice(0, 12)) {
      const verdict =
        right === runs && wrong === 0 ? 'ALWAYS RIGHT' : `right ${right}, wrong ${wrong} of ${runs}`
      console.log(`  ${offsets.padEnd(28)} ${verdict}`)
    }
    if (rows.length === 0) console.log('  none found')
  }
}

/** What is read of a hang: the words of its isolate, and its other thread-locals. */
interface Hung {
  readonly memory: ProcessMemory
  readonly v8Isolate: number
  readonly port: number | undefined
}

async function hangOnce(way: string, requestsBefore: number, visit: (hung: Hung) => Promise<void>) {
  const workerd = await startFunctions()
  try {
    await Promise.all(OTHERS.map(script => request(workerd, script, '/')))
    if (way.startsWith('an empty')) {
      for (let i = 0; i < requestsBefore; i++) await request(workerd, 'culprit', '/')
    }
    HANGS[way]?.(workerd, 'culprit')
    await delay(500)
    const locals = readThreadLocals(`/proc/${workerd.pid}/exe`)
    using memory = ProcessMemory.open(workerd.pid)
    const thread = locals && locateFirstThread(memory, locals)
    if (!thread) throw new Error('The symbol table, or the pattern of the first thread, is not found.')
    const [current, port] = [CURRENT_ISOLATE, ACTIVE_PORT].map(symbol => {
      const offset = locals.offsets.get(symbol)
      if (offset === undefined) console.log(`The symbol ${symbol} is missing.`)
      return offset === undefined ? undefined : memory.readWord(thread + offset)
    })
    if (current) await visit({ memory, v8Isolate: current, port })
    else console.log(`${way}: no isolate has the thread`)
  } finally {
    await workerd.stop()
  }
}

function* pointers(memory: ProcessMemory, address: number, length: number): Generator<[number, number]> {
  const bytes = memory.read(address, length)
  for (let at = 0; bytes && at < length; at += 8) {
    const word = wordAt(bytes, at)
    if (word && word > 65_536 && word % 8 === 0) yield [at, word]
  }
}

const hex = (offset: number) => `0x${offset.toString(16)}`

// 1. The name, in every way of hanging.
const names = new Tally()
const polls = new Tally()
const ways = Object.keys(HANGS)
for (const way of ways) {
  process.stdout.write('.')
  await hangOnce(way, 0, async ({ memory, v8Isolate, port }) => {
    for (const [worker, object] of pointers(memory, v8Isolate, ISOLATE_BYTES)) {
      const bytes = memory.read(object, OBJECT_BYTES)
      for (let at = 0; bytes && at + 16 <= OBJECT_BYTES; at += 8) {
        const [text, length] = [wordAt(bytes, at), wordAt(bytes, at + 8)]
        if (!text || !length || length < 20 || length > 200) continue
        const name = memory.read(text, length)?.toString('latin1', 0, length - 1)
        if (!name?.startsWith('functions:')) continue
        names.add(`worker ${hex(worker)}, name ${hex(at)}`, name === `functions:${idOf('culprit')}`)
      }
    }
    // A hang began about half a second ago, and the time must stand still.
    const before = port && memory.read(port, OBJECT_BYTES)
    await delay(100)
    const after = port && memory.read(port, OBJECT_BYTES)
    for (let at = 0; before && after && at < OBJECT_BYTES; at += 8) {
      const sinceMs = (Number(process.hrtime.bigint()) - (wordAt(after, at) ?? 0)) / 1e6
      if (sinceMs > 200 && sinceMs < 2000)
        polls.add(`polledAt ${at}`, wordAt(before, at) === wordAt(after, at))
    }
  })
}

// 2. The counter: after 2, 7 and 12 requests to the culprit.
const readings: Map<string, number>[] = []
for (const requestsBefore of [2, 7, 12]) {
  await hangOnce('an empty loop', requestsBefore, async ({ memory, v8Isolate }) => {
    const read = () => {
      const found = new Map<string, number>()
      const object = memory.readWord(v8Isolate + LAYOUT.worker) ?? 0
      for (const [impl, part] of pointers(memory, object, OBJECT_BYTES)) {
        const bytes = memory.read(part, OBJECT_BYTES)
        for (let at = 0; bytes && at < OBJECT_BYTES; at += 8) {
          const count = wordAt(bytes, at)
          if (count && count < 10_000) found.set(`impl ${hex(impl)}, turns ${hex(at)}`, count)
        }
      }
      return found
    }
    const first = read()
    await delay(100)
    readings.push(new Map([...read()].filter(([key, count]) => first.get(key) === count)))
  })
}
const turns = new Tally()
const [few, some, many] = readings
for (const [key, count] of few ?? []) {
  const [step, next] = [(some?.get(key) ?? 0) - count, (many?.get(key) ?? 0) - (some?.get(key) ?? 0)]
  if (step >= 5 && step === next) turns.add(key, true)
}

const { worker, name, impl, turns: count, polledAt } = LAYOUT
names.print('The name of the isolate that has the thread', ways.length, `${hex(worker)}, ${hex(name)}`)
turns.print('The counter of turns, by the worker in use', 1, `${hex(impl)}, ${hex(count)}`)
polls.print('When it last looked for events', ways.length, String(polledAt))
