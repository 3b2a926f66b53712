import { describe, expect, inject, test } from 'vitest'
import type { Result } from '../contract/differences/difference.ts'
import { testCases } from '../support/contract-cases.ts'
import { bundleModule } from '../support/workerd.ts'
import { deployDriver } from './support/contract-host.ts'
import { type Column, type ContractKind, KINDS, type Native } from './support/contract-kinds.ts'
import { startNative } from './support/contract-native.ts'
import { startPlatform } from './support/platform.ts'

// The cases of test/contract on whole platforms: one function, bound to everything, is deployed to each.

/** What came of all cases of each kind; a kind that could not run at all has only its failure. */
type Outcomes = ReadonlyMap<ContractKind, { readonly results: readonly Result[]; readonly failure?: unknown }>

// Platforms of its own: a kind's cases are one answer, and other tests cost the edge that gives it.
const platforms = await Promise.all(inject('connections').map(({ kind }) => startPlatform(kind)))
const driver = await bundleModule('test/worker/contract-driver.ts')
const natives = await Promise.all([runNatively('Miniflare'), runNatively('workerd')])
const native: Outcomes = new Map(natives.flatMap(outcomes => [...outcomes]))

describe.each(platforms)('bindings on `npm $kind`', async platform => {
  const ours = await runAll(KINDS, await deployDriver(platform, driver)).finally(platform.stop)

  describe.each(KINDS)('$name', kind => {
    const [expected, results] = [native.get(kind), ours.get(kind)]

    test('can run', () => {
      expect([expected?.failure, results?.failure]).toEqual([undefined, undefined])
    })

    testCases(`${kind.native}'s`, expected?.results ?? [], results?.results ?? [], kind.differences)
  })
})

async function runNatively(of: Native): Promise<Outcomes> {
  const column = await startNative[of](driver)
  try {
    return await runAll(
      KINDS.filter(kind => kind.native === of),
      column,
    )
  } finally {
    await column.stop()
  }
}

/** All kinds at once: none sees another's data. */
async function runAll(kinds: readonly ContractKind[], column: Column): Promise<Outcomes> {
  const settled = await Promise.allSettled(kinds.map(kind => kind.run(column)))
  return new Map(
    settled.map((outcome, index) => [
      kinds[index] as ContractKind,
      outcome.status === 'fulfilled'
        ? { results: outcome.value }
        : { results: [], failure: String(outcome.reason) },
    ]),
  )
}
