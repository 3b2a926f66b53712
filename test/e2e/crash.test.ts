import { expect, test } from 'vitest'
import { crash } from './support/crash.ts'

const KILLS = 24

test(`after ${KILLS} kills of workerd and of the supervisor, nothing acknowledged is lost or half-applied`, {
  timeout: 150_000,
}, async () => {
  const seed = Number(process.env.SKERRY_CRASH_SEED ?? Date.now() % 1_000_000)
  const lines: string[] = []
  const report = await crash({ kills: KILLS, seed, log: line => lines.push(line) })
  console.log(`crash seed ${seed} (SKERRY_CRASH_SEED=${seed} repeats it): ${JSON.stringify(report)}`)
  expect(report.violations, `seed ${seed}\n${lines.join('\n')}`).toEqual([])
  expect(report.kills.workerd + report.kills.supervisor).toBe(KILLS)
  // It was under load, or the kills proved nothing.
  expect(report.interrupted).toBeGreaterThan(KILLS)
  expect(report.acknowledged.deploys).toBeGreaterThan(KILLS)
  expect(report.acknowledged.kvPuts).toBeGreaterThan(KILLS)
  expect(report.acknowledged.functionPuts).toBeGreaterThan(KILLS)
  expect(report.acknowledged.secrets).toBeGreaterThan(KILLS)
})
