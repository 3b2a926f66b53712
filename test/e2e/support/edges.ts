import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Caller } from './caller.ts'
import type { RunningPlatform } from './platform.ts'

/** The processes that answer clients, by name. */
export function edgesOf(platform: RunningPlatform): string[] {
  return Object.keys(platform.processes()).filter(name => name !== 'state')
}

/** A caller of one edge and no other, by the private socket on which it takes requests over. */
export function openEdge({ dataDir }: RunningPlatform, edge: string, giveUpMs = 10_000): Caller {
  const socketPath = join(dataDir, 'run', `${edge}.front`)
  return new Caller({ socketPath }, { keepAlive: false, giveUpMs })
}

/** One call of a script, answered by this very edge. */
export function callEdge(
  platform: RunningPlatform,
  edge: string,
  script: string,
  path = '/',
): Promise<Answer> {
  return openEdge(platform, edge).call(`${script}.localhost:${platform.port}`, path)
}

/** Asks again and again until the answer is right. Resolves to the time it took; rejects after ten seconds. */
export async function until(
  what: string | (() => string),
  ask: () => Promise<boolean>,
  giveUpMs = 10_000,
): Promise<number> {
  const startedAtMs = performance.now()
  while (!(await ask())) {
    if (performance.now() - startedAtMs > giveUpMs)
      throw new Error(`not within ${giveUpMs} ms: ${typeof what === 'string' ? what : what()}`)
    await delay(5)
  }
  return performance.now() - startedAtMs
}
