import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { RunningPlatform } from '../support/platform.ts'

/** The processes, while they are watched. */
export interface ProcessWatch {
  /** Resolves when so many have ended at least, and as many serve as at first; or after five seconds. */
  whole(atLeastLost: number): Promise<void>
  stop(): { lost: number; recoveredMs: number | undefined }
}

const POLL_MS = 20
const ASK_MS = 200
const WHOLE_MS = 5000

/**
 * Asks the platform's processes every 20 ms whether they serve, as the supervisor does: what
 * `GET /api/v1/processes` says can be a second old.
 */
export function watchProcesses(platform: RunningPlatform): ProcessWatch {
  const known = new Set(Object.values(platform.processes()))
  const count = known.size
  let isWhole = true
  let lost = 0
  let lostAtMs: number | undefined
  let recoveredMs: number | undefined
  let looks = 0
  let isOver = false
  const look = async () => {
    const processes = platform.processes()
    const pids = new Set(Object.values(processes))
    const gone = [...known].filter(pid => !pids.has(pid))
    lost += gone.length
    for (const pid of gone) known.delete(pid)
    for (const pid of pids) known.add(pid)
    if (gone.length > 0) {
      lostAtMs ??= performance.now()
      isWhole = false
    }
    // One that only is late has not been lost.
    if (lostAtMs === undefined) return
    const serving = await Promise.all(Object.keys(processes).map(name => serves(platform, name)))
    isWhole = serving.filter(Boolean).length >= count
    if (!isWhole) return
    recoveredMs = Math.max(recoveredMs ?? 0, performance.now() - lostAtMs)
    lostAtMs = undefined
  }
  const looking = (async () => {
    for (; !isOver; await delay(POLL_MS)) {
      await look()
      looks++
    }
  })()
  looking.catch(() => {})
  return {
    whole: async atLeastLost => {
      const endMs = performance.now() + WHOLE_MS
      // The next may have begun already.
      const last = looks + 2
      while ((looks < last || lost < atLeastLost || !isWhole) && performance.now() < endMs)
        await delay(POLL_MS)
    },
    stop: () => {
      isOver = true
      return { lost, recoveredMs: lostAtMs === undefined ? recoveredMs : Number.POSITIVE_INFINITY }
    },
  }
}

/** Whether the process answers a heartbeat, and that it is ready. */
function serves({ dataDir }: RunningPlatform, name: string): Promise<boolean> {
  return new Promise(resolve => {
    const socketPath = join(dataDir, 'run', `${name}.health`)
    const outgoing = request({ socketPath, agent: false, signal: AbortSignal.timeout(ASK_MS) })
    outgoing.on('response', incoming => {
      incoming.resume()
      resolve(incoming.statusCode === 200)
    })
    outgoing.on('error', () => resolve(false))
    outgoing.end()
  })
}
