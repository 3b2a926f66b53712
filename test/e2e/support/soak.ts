import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Caller } from './caller.ts'
import { type RunningPlatform, startPlatform } from './platform.ts'
import { listTree, type Memory, readMemory } from './process-table.ts'
import { createRandom, describeTimes } from './random.ts'

/** How much, and for how long. */
export interface SoakOptions {
  readonly scripts: number
  /** So many of them are called, at random. */
  readonly called: number
  readonly minutes: number
  readonly seed: number
  readonly log: (line: string) => void
}

/** What it took. */
export interface SoakReport {
  /** Seconds for each thousand deploys, in order: rising numbers mean that something grows with the scripts. */
  readonly deploySeconds: readonly number[]
  readonly deployCall: string
  /** Times, in words: requests that started an isolate, and the others. */
  readonly cold: string
  readonly warm: string
  readonly requestsPerSecond: number
  /** The most that all processes together had in memory, in megabytes, and when: in seconds from the first call. */
  readonly mostPssMb: { mb: number; second: number; perProcess: Record<string, number> }
  readonly mostRssMb: number
  /** Processes that were started anew meanwhile: replaced to free memory, or ended. */
  readonly replaced: string[]
  /** A killed edge and, at the end, the whole platform: until they answer again. */
  readonly edgeBackMs: number
  readonly startMs: number
  readonly violations: string[]
}

const MOST_BYTES = 1.5e9
const DEPLOYERS = 6
const CALLERS = 8
const SAMPLE_MS = 1000
const MB = 1e6

/** About a kilobyte, as small Workers are; says which it is, and how many requests its isolate had before. */
const sourceOf = (n: number) => `let calls = 0
export default {
  fetch() { return new Response('script ${n} ' + calls++) },
}
// ${'-'.repeat(900)}`
const nameOf = (n: number) => `soak-${n}`

/** Deploys many scripts, calls some of them at random, and watches memory and answers. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { log } = options
  const violations: string[] = []
  const dataDir = mkdtempSync(join(tmpdir(), 'skerry-soak-'))
  let platform = await startPlatform('start', { dataDir })
  try {
    const deploys = await deployAll(platform, options)
    log(`deployed: ${deploys.call}`)
    const memory = new MemoryWatch(platform)
    const calls = await callAtRandom(platform, options, violations)
    memory.stop()
    log(`called: warm ${calls.warm}; cold ${calls.cold}`)
    if (memory.most.pss > MOST_BYTES)
      violations.push(`${Math.round(memory.most.pss / MB)} MB in memory (PSS), more than 1500`)
    const edgeBackMs = await killEdge(platform, options.called)
    await platform.stop()
    const startedAtMs = performance.now()
    platform = await startPlatform('start', { dataDir })
    return {
      deploySeconds: deploys.seconds,
      deployCall: deploys.call,
      ...calls,
      ...memory.report(),
      edgeBackMs: Math.round(edgeBackMs),
      startMs: Math.round(performance.now() - startedAtMs),
      violations,
    }
  } finally {
    if (violations.length > 0) log(platform.log().slice(-3000))
    await platform.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

async function deployAll(
  platform: RunningPlatform,
  { scripts, log }: SoakOptions,
): Promise<{ seconds: number[]; call: string }> {
  const times: number[] = []
  const seconds: number[] = []
  let thousandAtMs = performance.now()
  let next = 0
  const deploy = async () => {
    for (let n = next++; n < scripts; n = next++) {
      const startedAtMs = performance.now()
      await platform.upload(nameOf(n), sourceOf(n))
      const nowMs = performance.now()
      times.push(nowMs - startedAtMs)
      if (times.length % 1000 !== 0) continue
      seconds.push(Math.round((nowMs - thousandAtMs) / 100) / 10)
      thousandAtMs = nowMs
      const { pss } = readMemory(listTree(platform.supervisorPid))
      log(`${times.length} deployed, the last thousand in ${seconds.at(-1)} s; ${Math.round(pss / MB)} MB`)
    }
  }
  await Promise.all(Array.from({ length: DEPLOYERS }, deploy))
  return { seconds, call: describeTimes(times) }
}

async function callAtRandom(
  platform: RunningPlatform,
  { called, minutes, seed, log }: SoakOptions,
  violations: string[],
): Promise<Pick<SoakReport, 'cold' | 'warm' | 'requestsPerSecond'>> {
  const random = createRandom(seed)
  const callers = Array.from({ length: CALLERS }, () => new Caller({ port: platform.port }))
  // One after the other: of many connections at once an idle edge takes all.
  for (const caller of callers) await caller.call(`${nameOf(0)}.localhost:${platform.port}`)
  const cold: number[] = []
  const warm: number[] = []
  const startedAtMs = performance.now()
  const endMs = startedAtMs + minutes * 60_000
  const callOn = async (caller: Caller) => {
    while (performance.now() < endMs && violations.length < 100) {
      const n = Math.floor(random() * called)
      const { status, text, ms } = await caller.call(`${nameOf(n)}.localhost:${platform.port}`)
      const before = Number(new RegExp(`^script ${n} (\\d+)$`).exec(text)?.[1])
      if (status !== 200 || Number.isNaN(before))
        violations.push(`script ${n} answered ${status} ${text.slice(0, 200)}`)
      else (before === 0 ? cold : warm).push(ms)
    }
    caller.close()
  }
  const logging = setInterval(() => {
    const { pss } = readMemory(listTree(platform.supervisorPid))
    const second = Math.round((performance.now() - startedAtMs) / 1000)
    log(`${second} s: ${cold.length} cold, ${warm.length} warm; ${Math.round(pss / MB)} MB`)
  }, 15_000)
  await Promise.all(callers.map(callOn))
  clearInterval(logging)
  const requestsPerSecond = Math.round(
    ((cold.length + warm.length) * 1000) / (performance.now() - startedAtMs),
  )
  return { cold: describeTimes(cold), warm: describeTimes(warm), requestsPerSecond }
}

/** Looks at all processes together once a second. */
class MemoryWatch {
  most: Memory = { pss: 0, rss: 0 }
  readonly #platform: RunningPlatform
  readonly #startedAtMs = performance.now()
  readonly #timer: NodeJS.Timeout
  readonly #replaced: string[] = []
  #atMost: { second: number; perProcess: Record<string, number> } = { second: 0, perProcess: {} }
  #pids: Readonly<Record<string, number>>

  constructor(platform: RunningPlatform) {
    this.#platform = platform
    this.#pids = platform.processes()
    this.#timer = setInterval(() => this.#look(), SAMPLE_MS)
    this.#look()
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  report(): Pick<SoakReport, 'mostPssMb' | 'mostRssMb' | 'replaced'> {
    const mostPssMb = { mb: Math.round(this.most.pss / MB), ...this.#atMost }
    return { mostPssMb, mostRssMb: Math.round(this.most.rss / MB), replaced: this.#replaced }
  }

  #look(): void {
    const { pss, rss } = readMemory(listTree(this.#platform.supervisorPid))
    const pids = this.#platform.processes()
    const second = Math.round((performance.now() - this.#startedAtMs) / 1000)
    for (const [name, pid] of Object.entries(pids)) {
      if (this.#pids[name] !== undefined && this.#pids[name] !== pid)
        this.#replaced.push(`${name} at ${second} s`)
    }
    this.#pids = { ...this.#pids, ...pids }
    if (pss > this.most.pss) {
      const perProcess = Object.fromEntries(
        Object.entries({ supervisor: this.#platform.supervisorPid, ...pids }).map(([name, pid]) => [
          name,
          Math.round(readMemory([pid]).pss / MB),
        ]),
      )
      this.#atMost = { second, perProcess }
    }
    this.most = { pss: Math.max(this.most.pss, pss), rss: Math.max(this.most.rss, rss) }
  }
}

/** Until that edge answers again: its route table is read whole. */
async function killEdge(platform: RunningPlatform, called: number): Promise<number> {
  const [name, pid] = Object.entries(platform.processes()).find(([name]) => name.startsWith('edge-')) ?? []
  if (name === undefined || pid === undefined) return Number.NaN
  const startedAtMs = performance.now()
  process.kill(pid, 'SIGKILL')
  for (;;) {
    const caller = new Caller(
      { socketPath: join(platform.dataDir, 'run', `${name}.front`) },
      { keepAlive: false },
    )
    const { status, ms } = await caller.call(`${nameOf(called - 1)}.localhost:${platform.port}`)
    if (status === 200) return performance.now() - startedAtMs
    if (ms > 20_000) return Number.NaN
    await delay(5)
  }
}
