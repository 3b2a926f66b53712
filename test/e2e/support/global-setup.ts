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
  const platforms = await Promise.all(kinds.map(kind => startPlatform(kind)))
  project.provide(
    'connections',
    platforms.map(({ connection }) => connection),
  )
  return async () => {
    await Promise.all(platforms.map(platform => platform.stop()))
  }
}
