import { rmSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Arena, openArena, PROCESSES } from './arena.ts'
import { attack, readStrikes, shortcomingsOf } from './attack.ts'
import { call } from './caller.ts'
import { CASES } from './cases.ts'
import { toLine } from './table.ts'

const STRIKES = 3
/** Both loop, or take memory, but for `/fine`; by the name of their case. */
const REPEATERS = ['endless-loop', 'array-buffers']

const POLL = { timeout: 5000, interval: 20 }

let arena: Arena

// One platform and one neighbour for all: what an attack leaves behind is the next one's surroundings.
beforeAll(async () => {
  arena = await openArena(CASES.flatMap(({ cases }) => cases))
}, 180_000)

afterAll(async () => {
  await arena?.close()
  const home = process.env.SKERRY_E2E_HOME
  if (home) rmSync(home, { recursive: true, force: true })
})

// Once more, as it is time that is measured, and others may have had the machine.
describe.each(CASES)('after $title:', ({ cases }) => {
  test.each(cases)('a function that $does', { timeout: 20_000, retry: 1 }, async attacked => {
    const row = await attack(arena, attacked)
    console.log(toLine(row))
    expect(shortcomingsOf(row), toLine(row)).toEqual([])
  })
})

describe.each(REPEATERS)('after three strikes, the function "%s"', script => {
  const get = (path: string) => call(arena.hostile, script, path)
  /** Until there are three; it may have some already. */
  const strikeOut = async () => {
    const strikes = async () => (await readStrikes(arena, [`${arena.hostile.accountId}/${script}`])).length
    for (let struck = await strikes(); struck < STRIKES; struck++) {
      await get('/')
      await expect.poll(strikes, POLL).toBe(struck + 1)
    }
    // Every edge has heard of it, the one that is new, too.
    const isRefused = async () => (await get('/fine')).got === '503 ERR_FUNCTION_QUARANTINED'
    let inARow = 0
    await expect.poll(async () => (inARow = (await isRefused()) ? inARow + 1 : 0), POLL).toBeGreaterThan(10)
    await expect.poll(() => Object.keys(arena.platform.processes()).length, POLL).toBe(PROCESSES)
  }
  const summary = async () => {
    const path = `/accounts/${arena.hostile.accountId}/scripts/${script}`
    const { body } = await arena.hostile.v1<{ quarantine: { reason: string } | null }>('GET', path)
    return body
  }

  test('is in quarantine: each call is refused at once, and costs nothing', { timeout: 30_000 }, async () => {
    await strikeOut()
    const pids = arena.platform.processes()
    for (const path of ['/', '/fine']) {
      const answer = await get(path)
      expect(answer).toMatchObject({
        got: '503 ERR_FUNCTION_QUARANTINED',
        retryAfter: expect.stringMatching(/^\d+$/),
      })
      expect(Number(answer.retryAfter)).toBeGreaterThan(60)
      expect(answer.ms).toBeLessThan(100)
    }
    expect(arena.platform.processes()).toEqual(pids)
    expect((await summary()).quarantine?.reason).toMatch(/exceeded .* 3 times/)
  })

  test('answers again once it is released', async () => {
    const { code, all } = await arena.hostile.skerry(['script', 'release', script])
    expect(code, all).toBe(0)
    expect(await get('/fine')).toMatchObject({ got: '200 fine' })
    expect(await summary()).toMatchObject({ quarantine: null, strikes: [] })
  })

  test('answers again with a new version, once three strikes have come again', {
    timeout: 60_000,
  }, async () => {
    await strikeOut()
    expect((await get('/fine')).got).toBe('503 ERR_FUNCTION_QUARANTINED')
    const dir = arena.projectOf(script, `export default { fetch() { return new Response('mended') } }`)
    const { code, all } = await arena.hostile.wrangler(['deploy'], { cwd: dir })
    expect(code, all).toBe(0)
    expect(await get('/')).toMatchObject({ got: '200 mended' })
    expect((await summary()).quarantine).toBeNull()
  })
})
