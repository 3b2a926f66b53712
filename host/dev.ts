import type { HostOptions } from './options.ts'
export async function runDev(_o: HostOptions): Promise<number> {
  return 1
}
