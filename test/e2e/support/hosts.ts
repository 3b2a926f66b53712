import { inject } from 'vitest'
import { connect, type Platform } from './client.ts'

/**
 * The platforms that run for this test run, each with the command that started it, as an account of the test
 * file's own: files don't see one another's scripts.
 */
export async function openHosts(account: string): Promise<[command: string, platform: Platform][]> {
  const platforms = inject('connections').map(connection => connect(connection).as(account))
  return (await Promise.all(platforms)).map(platform => [
    platform.kind === 'start' ? 'npm start' : 'npm run dev',
    platform,
  ])
}
