import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Callers } from './crash-callers.ts'
import { Checks } from './crash-checks.ts'
import { type Acknowledged, Ledger } from './crash-ledger.ts'
import { Load } from './crash-load.ts'
import { measureRecovery, type Recovery, readWait, waitForEnd, waitForOrder } from './crash-recovery.ts'
import { Verdicts } from './crash-verdicts.ts'
import { edgesOf } from './edges.ts'
import { type RunningPlatform, startPlatform } from './platform.ts'
import { createRandom, quantile } from './random.ts'

/** What is killed: the process for state or for objects, an edge, all edges at once, or the supervisor. */
export type Victim = 'state' | 'objects' | 'edge' | 'edges' | 'supervisor'

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
  /** Kills after which the next answer took longer than promised: one line each. A busy machine does that, too. */
  readonly late: string[]
  /** What was lost, half-applied or wrongly answered, and processes left over: one line each. */
  readonly violations: string[]
}

interface Round extends Recovery {
  readonly victim: Victim
  /** What the supervisor waited before the start, beyond its usual 50 ms. */
  readonly waitedMs: number
}

const ANSWER_MS = { state: 1000, objects: 1000, edge: 1000, edges: 1000, supervisor: 2000 } as const

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
  // Users' objects have one of their own.
  const expected = processes === 1 ? 1 : processes + 1
  const env = { SKERRY_PROCESSES: String(processes) }
  let platform = await startPlatform('start', { dataDir, env })
  const { port } = platform
  const verdicts = new Verdicts()
  const ledger = new Ledger()
  const load = new Load(() => platform, verdicts, ledger)
  const checks = new Checks(() => platform, verdicts, ledger)
  const callers = new Callers(() => platform, verdicts)
  const rounds: Round[] = []
  const late: string[] = []
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
      const back = measureRecovery(platform, victim, old)
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
        late.push(`${when}: answered again after ${slowestMs} ms, not ${ANSWER_MS[victim]}`)
      // Some load on what was restarted, too.
      await delay(random() * 100)
      await load.pause(running)
      verdicts.judge(when, { victim, fromMs: killedAtMs, toMs: killedAtMs + times.wholeMs })
      const left = await waitForOrder(platform, dataDir, expected, restarted === 'supervisor' ? old : {})
      if (left) verdicts.blame(when, left)
      await checks.newest(when)
      log(
        `${when}: ${JSON.stringify(times)}, ${JSON.stringify(ledger.acknowledged())}, ${verdicts.violations.length} violations`,
      )
    }
    await checks.everything()
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
    acknowledged: ledger.acknowledged(),
    answered: callers.answered,
    met: byVictim(victim => verdicts.metDuring(victim)),
    late,
    violations: verdicts.violations,
  }
}

function pick(random: number, processes: number): Victim {
  if (random < 0.2) return processes === 1 ? 'edges' : 'state'
  if (random < 0.3) return processes === 1 ? 'edges' : 'objects'
  if (random < 0.6) return 'edge'
  return random < 0.7 ? 'edges' : 'supervisor'
}

/** Kills what the harness needn't start again itself. */
function kill(victim: Victim, platform: RunningPlatform, random: number): Victim {
  const pids = platform.processes()
  const edges = edgesOf(platform)
  const chosen = edges[Math.floor(random * edges.length)] ?? ''
  const names = { state: ['state'], objects: ['objects-0'], edge: [chosen], edges, supervisor: [] }[victim]
  for (const name of names) {
    const pid = pids[name]
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  }
  return victim
}

function byVictim<T>(make: (victim: Victim) => T): Record<Victim, T> {
  return {
    state: make('state'),
    objects: make('objects'),
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
