import { inject } from 'vitest'
import { connect, type Platform } from './client.ts'

/**
 * The platforms that run for this test run, one a host, each as an account of the test file's own: files don't see
 * one another's scripts.
 */
export function openHosts(account: string): Promise<Platform[]> {
  return Promise.all(inject('connections').map(connection => connect(connection).as(account)))
}
