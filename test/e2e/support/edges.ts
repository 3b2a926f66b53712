import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Caller } from './caller.ts'
import type { Platform } from './client.ts'
import { request } from './http.ts'
import { type RunningPlatform, readProcesses } from './platform.ts'

/** Whether the process of this name answers clients. */
export function isEdge(name: string): boolean {
  return !/^(state|objects)/.test(name)
}

/** The processes that answer clients, by name. */
export function edgesOf({ dataDir }: Pick<Platform, 'dataDir'>): string[] {
  return Object.keys(readProcesses(dataDir)).filter(isEdge)
}

/**
 * Ways to ask each edge alone, by the private socket on which it takes requests over; under `wrangler dev`, where
 * there is only one, the way that everybody has.
 */
export function waysTo(platform: Platform): Platform['fetch'][] {
  if (platform.kind === 'dev') return [platform.fetch]
  const { dataDir } = platform
  return edgesOf(platform).map(edge => {
    const socketPath = join(dataDir, 'run', `${edge}.front`)
    return (host, path = '/', init = {}) => request({ socketPath }, host, path, init)
  })
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
