import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { type Connection, type HostKind, startPlatform } from './platform.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The platforms that run for this test run. */
    connections: Connection[]
  }
}

/** Starts one platform a host for all files; `SKERRY_E2E_HOSTS=start` (or `dev`) leaves the other out. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const kinds = (process.env.SKERRY_E2E_HOSTS ?? 'start,dev').split(',') as HostKind[]
  // Test files run in processes of their own, which are ended without being asked to tidy up.
  const home = mkdtempSync(join(tmpdir(), 'skerry-e2e-home-'))
  process.env.SKERRY_E2E_HOME = home
  const platforms = await Promise.all(kinds.map(kind => startPlatform(kind)))
  project.provide(
    'connections',
    platforms.map(({ connection }) => connection),
  )
  return async () => {
    await Promise.all(platforms.map(platform => platform.stop()))
    rmSync(home, { recursive: true, force: true })
  }
}
