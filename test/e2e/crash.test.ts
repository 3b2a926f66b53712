import { expect, test } from 'vitest'
import { crash } from './support/crash.ts'

const KILLS = 24

test(`after ${KILLS} kills of the platform's processes under load, nothing acknowledged is lost or half-applied, nobody got a wrong answer, and no process is left over`, {
  timeout: 150_000,
}, async () => {
  const seed = Number(process.env.SKERRY_CRASH_SEED ?? Date.now() % 1_000_000)
  const lines: string[] = []
  const report = await crash({ kills: KILLS, seed, log: line => lines.push(line) })
  console.log(`crash seed ${seed} (SKERRY_CRASH_SEED=${seed} repeats it): ${JSON.stringify(report, null, 2)}`)
  expect(report.violations, `seed ${seed}\n${lines.join('\n')}`).toEqual([])
  expect(report.late.length, report.late.join('\n')).toBeLessThanOrEqual(KILLS / 10)
  const { state, objects, edge, edges, supervisor } = report.kills
  expect(state + objects + edge + edges + supervisor).toBe(KILLS)
  // It was under load, or the kills proved nothing.
  expect(report.answered).toBeGreaterThan(100 * KILLS)
  const { deploys, newScripts, kvPuts, functionPuts, secrets } = report.acknowledged
  for (const count of [deploys, newScripts, kvPuts, functionPuts, secrets])
    expect(count).toBeGreaterThan(KILLS)
  const interrupted = Object.values(report.met).flatMap(met => Object.values(met))
  expect(interrupted.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(KILLS)
})
