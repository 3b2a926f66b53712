import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Caller } from './caller.ts'
import { Callers } from './crash-callers.ts'
import { type Acknowledged, Load } from './crash-load.ts'
import { Verdicts } from './crash-verdicts.ts'
import { edgesOf } from './edges.ts'
import { type RunningPlatform, startPlatform } from './platform.ts'
import { findProcesses } from './process-table.ts'
import { createRandom, quantile } from './random.ts'

/** What is killed: the process for state, one of the edges, all of them at once, or the supervisor. */
export type Victim = 'state' | 'edge' | 'edges' | 'supervisor'

/** How hard to try. */
export interface CrashOptions {
  readonly kills: number
  /** Every wait and choice follows from it. */
  readonly seed: number
  /** Beside the supervisor: 1 = one for everything, 3 = one for state and two edges. Default 3. */
  readonly processes?: number
  readonly log?: (line: string) => void
}

/** What happened. */
export interface CrashReport {
  readonly kills: Record<Victim, number>
  /** Milliseconds from the kill to the next answer of a function, of the API, and of the killed process's successor. */
  readonly back: Record<Victim, string>
  /** Changes that the platform acknowledged, and requests that were answered as they must be. */
  readonly acknowledged: Acknowledged
  readonly answered: number
  /** What callers met during kills, by victim: allowed. */
  readonly met: Record<Victim, Record<string, number>>
  /** What was lost, half-applied, wrongly answered or late: one line each. */
  readonly violations: string[]
}

interface Round {
  readonly victim: Victim
  readonly functionMs: number
  readonly apiMs: number
  readonly wholeMs: number
  /** What the supervisor waited before the start, beyond its usual 50 ms. */
  readonly waitedMs: number
}

const ANSWER_MS = { state: 1000, edge: 1000, edges: 1000, supervisor: 2000 } as const
const GIVE_UP_MS = 20_000

/**
 * Kills processes with SIGKILL at random moments while requests, deploys, KV writes, secrets and a cron stream in;
 * after each kill checks that all that was acknowledged is there, on every edge, nothing is half-applied, nobody
 * got a wrong answer, and no process is left over.
 */
export async function crash({
  kills,
  seed,
  processes = 3,
  log = () => {},
}: CrashOptions): Promise<CrashReport> {
  const random = createRandom(seed)
  const dataDir = mkdtempSync(join(tmpdir(), 'skerry-crash-'))
  const env = { SKERRY_PROCESSES: String(processes) }
  let platform = await startPlatform('start', { dataDir, env })
  const { port } = platform
  const verdicts = new Verdicts()
  const load = new Load(() => platform, verdicts)
  const callers = new Callers(() => platform, verdicts)
  const rounds: Round[] = []
  try {
    await load.prepare()
    await callers.start()
    while (rounds.length < kills) {
      const running = load.run()
      await delay(30 + random() * 350)
      const victim = pick(random(), processes)
      const old = platform.processes()
      const logged = platform.log().length
      const killedAtMs = performance.now()
      const restarted = kill(victim, platform, random())
      // The successor listens at the same place, so it can be asked before the old handle is replaced.
      const back = measureBack(platform, victim, old)
      if (restarted === 'supervisor') {
        await platform.kill9()
        platform = await startPlatform('start', { dataDir, port, env })
      }
      const times = await back
      const waitedMs = restarted === 'supervisor' ? 0 : readWait(platform.log().slice(logged))
      rounds.push({ victim, ...times, waitedMs })
      const when = `kill ${rounds.length} (${victim})`
      const slowestMs = Math.max(times.functionMs, times.apiMs)
      if (slowestMs - waitedMs > ANSWER_MS[victim])
        verdicts.blame(when, `answered again after ${Math.round(slowestMs)} ms: ${JSON.stringify(times)}`)
      // Some load on what was restarted, too.
      await delay(random() * 100)
      await load.pause(running)
      verdicts.judge(when, { victim, fromMs: killedAtMs, toMs: killedAtMs + times.wholeMs })
      const left = await waitForOrder(platform, dataDir, processes, restarted === 'supervisor' ? old : {})
      if (left) verdicts.blame(when, left)
      await load.check(when)
      log(
        `${when}: ${JSON.stringify(times)}, ${JSON.stringify(load.acknowledged())}, ${verdicts.violations.length} violations`,
      )
    }
    await load.checkEverything()
    await callers.stop()
    verdicts.judge('at the end')
  } finally {
    await callers.stop()
    await platform.stop()
    if (verdicts.violations.length > 0) log(platform.log().slice(-4000))
    rmSync(dataDir, { recursive: true, force: true })
  }
  const left = await waitForEnd(dataDir)
  if (left.length > 0) verdicts.blame('after the stop', `still there: ${left.join('; ')}`)
  return {
    kills: byVictim(victim => rounds.filter(round => round.victim === victim).length),
    back: byVictim(victim => describeBack(rounds.filter(round => round.victim === victim))),
    acknowledged: load.acknowledged(),
    answered: callers.answered,
    met: byVictim(victim => verdicts.metDuring(victim)),
    violations: verdicts.violations,
  }
}

function pick(random: number, processes: number): Victim {
  if (random < 0.3) return processes === 1 ? 'edges' : 'state'
  if (random < 0.6) return 'edge'
  return random < 0.7 ? 'edges' : 'supervisor'
}

/** Kills what the harness needn't start again itself. */
function kill(victim: Victim, platform: RunningPlatform, random: number): Victim {
  const pids = platform.processes()
  const edges = edgesOf(platform)
  const chosen = edges[Math.floor(random * edges.length)] ?? ''
  const names = { state: ['state'], edge: [chosen], edges, supervisor: [] }[victim]
  for (const name of names) {
    const pid = pids[name]
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  }
  return victim
}

/** Milliseconds from now until a function, the API, and every edge by itself answer again. */
async function measureBack(
  platform: RunningPlatform,
  victim: Victim,
  old: Readonly<Record<string, number>>,
): Promise<Pick<Round, 'functionMs' | 'apiMs' | 'wholeMs'>> {
  const { port, token, dataDir } = platform
  const startedAtMs = performance.now()
  const host = `steady-0.localhost:${port}`
  const headers = { authorization: `Bearer ${token}` }
  const replaced = Object.entries(old).filter(([name]) => victim !== 'state' || name === 'state')
  const until = async (
    ask: (caller: Caller) => Promise<boolean>,
    to: ConstructorParameters<typeof Caller>[0],
  ) => {
    while (performance.now() - startedAtMs < GIVE_UP_MS) {
      if (await ask(new Caller(to, { keepAlive: false, giveUpMs: 1000 }))) break
      await delay(5)
    }
    return Math.round(performance.now() - startedAtMs)
  }
  const asksApi = async (caller: Caller) =>
    (await caller.call('localhost', '/client/v4/accounts', { headers })).status === 200
  const asksFunction = async (caller: Caller) => (await caller.call(host)).status === 200
  // A killed process answers nobody; one that was only stopped, or is about to be, might.
  const isReplaced = async () => {
    const now = platform.processes()
    return replaced.some(([name, pid]) => now[name] !== undefined && now[name] !== pid)
  }
  // The supervisor's death takes the others along, a few milliseconds later: until then they answer.
  const replacedMs = until(isReplaced, { port })
  if (victim === 'supervisor') await replacedMs
  const [functionMs, apiMs, ...others] = await Promise.all([
    until(asksFunction, { port }),
    until(asksApi, { port }),
    replacedMs,
    ...Object.keys(old)
      .filter(name => name !== 'state')
      .map(name => until(asksFunction, { socketPath: join(dataDir, 'run', `${name}.front`) })),
  ])
  return { functionMs, apiMs, wholeMs: Math.max(functionMs, apiMs, ...others) }
}

/** A process that keeps ending is started after a growing wait, which its supervisor says. */
function readWait(log: string): number {
  const waits = [...log.matchAll(/starting it again in (\d+) ms/g)].map(([, ms]) => Number(ms))
  return Math.max(0, ...waits.map(ms => ms - 50))
}

/** Waits until what runs is what the supervisor notes, and nothing else; says what is wrong if that takes long. */
async function waitForOrder(
  platform: RunningPlatform,
  dataDir: string,
  processes: number,
  gone: Readonly<Record<string, number>>,
): Promise<string | undefined> {
  const endMs = performance.now() + 1000
  const old = new Set(Object.values(gone))
  for (;;) {
    const noted = new Set(Object.values(platform.processes()))
    const running = findProcesses(dataDir).filter(({ command }) => command.includes(' serve '))
    const isInOrder =
      noted.size === processes &&
      running.length === processes &&
      running.every(({ pid }) => noted.has(pid) && !old.has(pid))
    if (isInOrder) return undefined
    if (performance.now() > endMs) {
      const commands = running.map(({ pid, command }) => `${pid} ${command}`).join('; ')
      return `noted: ${JSON.stringify(platform.processes())}, running: ${commands}`
    }
    await delay(10)
  }
}

async function waitForEnd(dataDir: string): Promise<string[]> {
  const endMs = performance.now() + 1000
  for (;;) {
    const left = findProcesses(dataDir)
    if (left.length === 0 || performance.now() > endMs) return left.map(({ command }) => command)
    await delay(10)
  }
}

function byVictim<T>(make: (victim: Victim) => T): Record<Victim, T> {
  return {
    state: make('state'),
    edge: make('edge'),
    edges: make('edges'),
    supervisor: make('supervisor'),
  }
}

function describeBack(rounds: readonly Round[]): string {
  const describe = (times: readonly number[]) =>
    `p50 ${quantile(times, 0.5) ?? '–'}, most ${quantile(times, 1) ?? '–'}`
  const kinds = ['functionMs', 'apiMs', 'wholeMs', 'waitedMs'] as const
  return kinds.map(kind => `${kind} ${describe(rounds.map(round => round[kind]))}`).join('; ')
}
