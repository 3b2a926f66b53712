import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism, cpus, release, totalmem } from 'node:os'
import { canPin } from './cpu.ts'

/** What was measured on, and with which versions. */
export interface Machine {
  readonly processor: string
  readonly cores: number
  readonly memoryGb: number
  readonly system: string
  /** Server and client each have a core. */
  readonly pinned: boolean
  readonly node: string
  readonly workerd: string
  readonly wrangler: string
  readonly skerry: string
}

/** Describes this machine. */
export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${release()}`,
    pinned: canPin,
    node: process.versions.node,
    workerd: versionOf('workerd/package.json'),
    wrangler: versionOf('wrangler/package.json'),
    skerry: versionOf('../package.json'),
  }
}

function versionOf(path: string): string {
  try {
    const file = createRequire(import.meta.url).resolve(path)
    return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
  } catch {
    return 'not installed'
  }
}
