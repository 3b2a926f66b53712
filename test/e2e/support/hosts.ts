import { inject } from 'vitest'
import { connect, type Platform } from './client.ts'

/**
 * The platforms that run for this test run, one a host, each as an account of the test file's own: files don't see
 * one another's scripts.
 */
export function openHosts(account: string): Promise<Platform[]> {
  return Promise.all(inject('connections').map(connection => connect(connection).as(account)))
}

/**
 * The first of them alone, for what the real wrangler is needed for at every step: what its commands meet is the
 * same code on every host, and each of them takes a second of a core. `SKERRY_E2E_HOSTS=dev` makes it that one.
 */
export async function openFirstHost(account: string): Promise<Platform[]> {
  return Promise.all(
    inject('connections')
      .slice(0, 1)
      .map(connection => connect(connection).as(account)),
  )
}
