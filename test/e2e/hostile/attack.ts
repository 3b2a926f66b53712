import { setTimeout as delay } from 'node:timers/promises'
import type { Arena } from './arena.ts'
import { type Answer, call } from './caller.ts'
import type { HostileCase, StrikeKind } from './case.ts'
import type { NeighbourReport } from './neighbour.ts'
import { watchProcesses } from './processes.ts'

/** What an attack did. */
export interface Row {
  readonly attack: HostileCase
  readonly answer: Answer
  readonly neighbour: NeighbourReport
  /** Strikes that it brought about, on whatever script. */
  readonly strikes: readonly Strike[]
  /** Processes that ended. */
  readonly lost: number
  /** From a loss until all processes were healthy again, the longest time; `undefined` = none was lost. */
  readonly recoveredMs: number | undefined
}

/** A strike, and on whom. */
export interface Strike {
  readonly id: string
  readonly script: string
  readonly kind: StrikeKind
}

/** What is promised, in milliseconds. */
export const BUDGET = { answerMs: 1000, neighbourP99Ms: 100, recoveryMs: 1000 } as const

/** Of each process that is lost: requests of the last moments before the attack, whose heads nobody has noted yet. */
const MAX_TURNED_AWAY = 4
const WATCH_MS = 2500
const QUIET_WATCH_MS = 800
const STRIKE_MS = 3000
const POLL_MS = 20

/** Sets a hostile function off beside its neighbour, and reports. */
export async function attack(arena: Arena, attacked: HostileCase): Promise<Row> {
  const { name: script, strikes: expected = [], attack: setOff = ({ get }) => get() } = attacked
  const culprit = `${arena.hostile.accountId}/${attacked.culprit ?? script}`
  const readNew = async (scripts?: readonly string[]) =>
    (await readStrikes(arena, scripts)).filter(({ id }) => !arena.knownStrikes.has(id))
  const processes = watchProcesses(arena.platform)
  let answer: Answer = { got: 'nothing', ms: 0 }
  const strike = async () => {
    answer = await setOff({ arena, script, get: (path, init) => call(arena.hostile, script, path, init) })
    const endMs = performance.now() + STRIKE_MS
    const isExpected = async () => expected.length > 0 && (await readNew([culprit])).length === 0
    while (performance.now() < endMs && (await isExpected())) await delay(POLL_MS)
    // Each strike is for a process that was ended.
    await processes.whole(expected.length > 0 ? 1 : 0)
  }
  const watchMs = attacked.watchMs ?? (expected.length > 0 ? WATCH_MS : QUIET_WATCH_MS)
  const neighbour = await arena.neighbour.during(strike, watchMs)
  // Of all scripts, and at the end: blame that comes late is blame, too.
  const strikes = await readNew()
  for (const { id } of strikes) arena.knownStrikes.add(id)
  return { attack: attacked, answer, neighbour, strikes, ...processes.stop() }
}

/** Where a row falls short of what is promised, one line each. */
export function shortcomingsOf({ attack, answer, neighbour, strikes, lost, recoveredMs }: Row): string[] {
  const lines: string[] = []
  const expect = (isSo: boolean, otherwise: string) => void (isSo || lines.push(otherwise))
  const { answer: right, answerWithinMs = BUDGET.answerMs, culprit = attack.name, notContained } = attack
  expect(right.test(answer.got), `the caller got "${answer.got}", not ${right}`)
  const kinds = attack.strikes ?? []
  const strangers = strikes.filter(({ script }) => !script.endsWith(`/${culprit}`))
  expect(strangers.length === 0, `others were blamed: ${strangers.map(({ script }) => script).join(', ')}`)
  expect(
    kinds.length > 0 === strikes.length > 0 && strikes.every(({ kind }) => kinds.includes(kind)),
    `the strikes were [${strikes.map(({ kind }) => kind)}], not one of [${kinds}]`,
  )
  // Broken off is bad, somebody else's answer would be worse: that must never be.
  const wrong = neighbour.wrong.filter(line => !notContained || !line.includes(': broken'))
  expect(wrong.length === 0, `the neighbour answered wrongly:\n${wrong.join('\n')}`)
  if (notContained) return lines

  const turnedAway = neighbour.lost
  expect(
    turnedAway <= MAX_TURNED_AWAY * lost,
    `the neighbour's callers got ERR_EDGE_LOST ${turnedAway} times`,
  )
  expect(answer.ms <= answerWithinMs, `the caller waited ${answer.ms} ms of ${answerWithinMs}`)
  const { p99Ms } = neighbour
  expect(p99Ms <= BUDGET.neighbourP99Ms, `the neighbour's p99 was ${p99Ms} ms of ${BUDGET.neighbourP99Ms}`)
  const mayLose = attack.mayLose ?? (kinds.length > 0 ? 1 : 0)
  expect(lost <= mayLose, `${lost} processes were lost, not ${mayLose} at most`)
  const recoveryMs = BUDGET.recoveryMs * Math.max(1, lost)
  expect((recoveredMs ?? 0) <= recoveryMs, `full capacity was back after ${recoveredMs} ms of ${recoveryMs}`)
  return lines
}

/** The strikes of these scripts; by default of all. */
export async function readStrikes(arena: Arena, scripts = arena.scripts): Promise<Strike[]> {
  const read = async (script: string) =>
    (await readScriptStrikes(arena, script)).map(strike => ({ ...strike, script }))
  return (await Promise.all(scripts.map(read))).flat()
}

async function readScriptStrikes({ platform }: Arena, script: string): Promise<Omit<Strike, 'script'>[]> {
  const path = `/accounts/${script.replace('/', '/scripts/')}`
  for (let tries = 1; ; tries++) {
    const { status, body } = await platform.v1<{ strikes: Omit<Strike, 'script'>[] }>('GET', path)
    if (status === 200) return body.strikes
    // Of an edge that is being ended.
    const isWorthRetrying = status === 503 && tries < 5
    if (!isWorthRetrying) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`)
    await delay(POLL_MS)
  }
}
