import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Caller } from './caller.ts'
import type { Victim } from './crash.ts'
import { isEdge } from './edges.ts'
import type { RunningPlatform } from './platform.ts'
import { findProcesses } from './process-table.ts'

/** Milliseconds from a kill to the next answer. */
export interface Recovery {
  /** Of a function. */
  readonly functionMs: number
  readonly apiMs: number
  /** Of everything, each edge asked by itself. */
  readonly wholeMs: number
}

const GIVE_UP_MS = 20_000

/** Milliseconds from now until a function, the API, and every edge by itself answer again. */
export async function measureRecovery(
  platform: RunningPlatform,
  victim: Victim,
  old: Readonly<Record<string, number>>,
): Promise<Recovery> {
  const { port, token, dataDir } = platform
  const startedAtMs = performance.now()
  const host = `steady-0.localhost:${port}`
  const headers = { authorization: `Bearer ${token}` }
  const replaced = Object.entries(old).filter(
    ([name]) => (victim !== 'state' && victim !== 'objects') || name.startsWith(victim),
  )
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
      .filter(isEdge)
      .map(name => until(asksFunction, { socketPath: join(dataDir, 'run', `${name}.front`) })),
  ])
  return { functionMs, apiMs, wholeMs: Math.max(functionMs, apiMs, ...others) }
}

/** A process that keeps ending is started after a growing wait, which its supervisor says. */
export function readWait(log: string): number {
  const waits = [...log.matchAll(/starting it again in (\d+) ms/g)].map(([, ms]) => Number(ms))
  return Math.max(0, ...waits.map(ms => ms - 50))
}

/** Waits until what runs is what the supervisor notes, and nothing else; says what is wrong if that takes long. */
export async function waitForOrder(
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

/** Waits until nothing of the platform is left; gives the commands that are if that takes long. */
export async function waitForEnd(dataDir: string): Promise<string[]> {
  const endMs = performance.now() + 1000
  for (;;) {
    const left = findProcesses(dataDir)
    if (left.length === 0 || performance.now() > endMs) return left.map(({ command }) => command)
    await delay(10)
  }
}
