import { setTimeout as delay } from 'node:timers/promises'
import { until } from './edges.ts'
import type { RunningPlatform } from './platform.ts'

/** What is killed, and when. */
export interface Kills {
  readonly count: number
  /** How the names of processes begin, in turn. */
  readonly victims: readonly string[]
  readonly pauseMs: number
  /** Deploys other code, half-way; repeated until it succeeds. */
  readonly deploy: () => Promise<unknown>
}

/** Kills processes of a platform one after the other, each once the one before is back. */
export async function killInTurn(platform: RunningPlatform, kills: Kills): Promise<void> {
  const { count, victims, pauseMs, deploy } = kills
  for (let kill = 0; kill < count; kill++) {
    await delay(pauseMs)
    if (kill === Math.floor(count / 2)) {
      await until('the script is deployed again', () =>
        deploy().then(
          () => true,
          () => false,
        ),
      )
    }
    const wanted = victims[kill % victims.length] ?? ''
    const [name, pid] = Object.entries(platform.processes()).find(([name]) => name.startsWith(wanted)) ?? []
    if (!pid) continue
    process.kill(pid, 'SIGKILL')
    await until(
      `${name} is back`,
      async () => (platform.processes()[name ?? ''] ?? pid) !== pid || wanted === 'edge',
    )
  }
}
