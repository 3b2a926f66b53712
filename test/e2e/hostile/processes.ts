import { setTimeout as delay } from 'node:timers/promises'
import type { ProcessStatus } from '../../../src/core/processes.ts'
import type { Platform } from '../support/client.ts'

/** The processes, while they are watched. */
export interface ProcessWatch {
  /** Resolves when all that were there are healthy, or their replacements. */
  whole(): Promise<void>
  stop(): { lost: number; recoveredMs: number | undefined }
}

const POLL_MS = 25
const ASK_MS = 250
const WHOLE_MS = 5000

/** Looks at the platform's processes every 25 ms. One that is late serves, or is about to be ended. */
export async function watchProcesses(platform: Platform): Promise<ProcessWatch> {
  const atFirst = await readProcesses(platform)
  const count = atFirst?.length ?? 0
  const known = new Set(atFirst?.map(({ pid }) => pid))
  let isWhole = true
  let lost = 0
  let lostAtMs: number | undefined
  let recoveredMs: number | undefined
  let isOver = false
  const look = async () => {
    const askedAtMs = performance.now()
    const processes = await readProcesses(platform)
    if (!processes) return
    const pids = new Set(processes.map(({ pid }) => pid))
    const gone = [...known].filter(pid => !pids.has(pid))
    lost += gone.length
    for (const pid of gone) known.delete(pid)
    for (const pid of pids) known.add(pid)
    isWhole = processes.filter(({ state }) => state === 'ready' || state === 'late').length >= count
    if (gone.length > 0 || !isWhole) lostAtMs ??= askedAtMs
    if (lostAtMs === undefined) return
    if (isWhole) recoveredMs ??= performance.now() - lostAtMs
    else recoveredMs = undefined
  }
  const looking = (async () => {
    for (; !isOver; await delay(POLL_MS)) await look()
  })()
  looking.catch(() => {})
  return {
    whole: async () => {
      const endMs = performance.now() + WHOLE_MS
      await look()
      while (!isWhole && performance.now() < endMs) await delay(POLL_MS)
    },
    stop: () => {
      isOver = true
      const never = lostAtMs !== undefined && recoveredMs === undefined
      return { lost, recoveredMs: never ? Number.POSITIVE_INFINITY : recoveredMs }
    },
  }
}

/** The processes; `undefined` when nobody answers in time. */
export async function readProcesses(platform: Platform): Promise<ProcessStatus[] | undefined> {
  const headers = { authorization: `Bearer ${platform.token}` }
  const signal = AbortSignal.timeout(ASK_MS)
  try {
    const host = `127.0.0.1:${platform.port}`
    const response = await platform.fetch(host, '/api/v1/processes', { headers, signal })
    if (response.status !== 200) return undefined
    return ((await response.json()) as { processes: ProcessStatus[] }).processes
  } catch {
    return undefined
  }
}
