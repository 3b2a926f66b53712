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
  /** From the first loss until all processes were healthy again; `undefined` = none was lost. */
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
const WATCH_MS = 3000
const QUIET_WATCH_MS = 1500
const STRIKE_MS = 3000
const POLL_MS = 20

/** Sets a hostile function off beside its neighbour, and reports. */
export async function attack(arena: Arena, attacked: HostileCase): Promise<Row> {
  const { name: script, strikes: expected = [], attack: setOff = ({ get }) => get() } = attacked
  const before = await readStrikes(arena)
  const processes = await watchProcesses(arena.platform)
  let answer: Answer = { got: 'nothing', ms: 0 }
  let strikes: Strike[] = []
  const strike = async () => {
    answer = await setOff({ arena, script, get: (path, init) => call(arena.hostile, script, path, init) })
    const endMs = performance.now() + STRIKE_MS
    do strikes = (await readStrikes(arena)).filter(({ id }) => !before.some(known => known.id === id))
    while (
      expected.length > 0 &&
      strikes.length === 0 &&
      performance.now() < endMs &&
      (await delay(POLL_MS, true))
    )
    await processes.whole()
  }
  const watchMs = attacked.watchMs ?? (expected.length > 0 ? WATCH_MS : QUIET_WATCH_MS)
  const neighbour = await arena.neighbour.during(strike, watchMs)
  // Blame that comes late is blame, too.
  strikes = (await readStrikes(arena)).filter(({ id }) => !before.some(known => known.id === id))
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
  expect(neighbour.wrong.length === 0, `the neighbour answered wrongly:\n${neighbour.wrong.join('\n')}`)
  const turnedAway = neighbour.lost
  expect(
    turnedAway <= MAX_TURNED_AWAY * lost,
    `the neighbour's callers got ERR_EDGE_LOST ${turnedAway} times`,
  )
  if (notContained) return lines

  expect(answer.ms <= answerWithinMs, `the caller waited ${answer.ms} ms of ${answerWithinMs}`)
  const { p99Ms } = neighbour
  expect(p99Ms <= BUDGET.neighbourP99Ms, `the neighbour's p99 was ${p99Ms} ms of ${BUDGET.neighbourP99Ms}`)
  const mayLose = attack.mayLose ?? (kinds.length > 0 ? 1 : 0)
  expect(lost <= mayLose, `${lost} processes were lost, not ${mayLose} at most`)
  expect(
    (recoveredMs ?? 0) <= BUDGET.recoveryMs,
    `full capacity was back after ${recoveredMs} ms of ${BUDGET.recoveryMs}`,
  )
  return lines
}

/** The strikes of all scripts. */
export async function readStrikes({ platform, scripts }: Arena): Promise<Strike[]> {
  const lists = await Promise.all(
    scripts.map(async script => {
      const path = `/accounts/${script.replace('/', '/scripts/')}`
      const { status, body } = await platform.v1<{ strikes: Omit<Strike, 'script'>[] }>('GET', path)
      if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`)
      return body.strikes.map(strike => ({ ...strike, script }))
    }),
  )
  return lists.flat()
}
