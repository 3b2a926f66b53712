import { LIMITS } from '../core/limits.ts'
import {
  judgeStrike,
  type Quarantine,
  type StrikeKind,
  type StrikeMark,
  type StrikePolicy,
} from '../core/strikes.ts'
import type { StateEnv } from '../env.ts'
import { currentDeployment } from './deployments.ts'

/** That a process had to be ended because of a function, as the supervisor tells it. */
export interface Strike {
  /** The same one may be told several times; it counts once. */
  readonly id: string
  /** Absent where only the isolate is known: then a version with its code. */
  readonly versionId?: string
  /** The isolate's: `<isolate>.<prelude>`, and what else the loader appended. */
  readonly digest: string
  readonly kind: StrikeKind
  /** Milliseconds since the epoch. */
  readonly atMs: number
  /** What was seen, for the function's author. */
  readonly detail: string
}

/** A strike, as stored. */
export interface StrikeRecord {
  readonly id: string
  readonly script: string
  readonly version_id: string
  /** The struck code: `VersionRecord.isolate`. */
  readonly isolate: string
  readonly kind: StrikeKind
  readonly at_ms: number
  readonly detail: string
}

/** A quarantine, as stored; its row stays after its end, so that the next one lasts longer. */
export interface QuarantineRecord {
  readonly script: string
  /** '' = the script as deployed; otherwise one isolate's code, on preview hosts only. */
  readonly isolate: string
  /** The code whose strikes counted. */
  readonly struck: readonly string[]
  /** How many came right before it. */
  readonly level: number
  readonly quarantine: Quarantine
}

export const STRIKES_SCHEMA = `
  CREATE TABLE strikes (
    id TEXT PRIMARY KEY, script TEXT NOT NULL, version_id TEXT NOT NULL, isolate TEXT NOT NULL,
    kind TEXT NOT NULL, at_ms INTEGER NOT NULL, detail TEXT NOT NULL
  );
  CREATE INDEX strikes_script ON strikes (script, at_ms);
  CREATE TABLE quarantines (
    script TEXT NOT NULL, isolate TEXT NOT NULL, struck TEXT NOT NULL, level INTEGER NOT NULL,
    until_ms INTEGER NOT NULL, quarantine TEXT NOT NULL, PRIMARY KEY (script, isolate)
  )`

/** The operator's policy; the host has checked the variables. */
export function strikePolicy(env: StateEnv): StrikePolicy {
  const read = (text: string | undefined, otherwise: number) => {
    const value = Number(text || otherwise)
    return Number.isSafeInteger(value) && value >= 0 ? value : otherwise
  }
  return {
    strikes: read(env.SKERRY_STRIKES, LIMITS.strikes),
    windowMs: 1000 * read(env.SKERRY_STRIKE_WINDOW_SECONDS, LIMITS.strikeWindowSeconds),
    quarantineMs: 1000 * read(env.SKERRY_QUARANTINE_SECONDS, LIMITS.quarantineSeconds),
  }
}

/** What a strike changes: its own row, and the quarantine that it brings. */
export interface StrikePlan {
  readonly record: StrikeRecord
  readonly quarantine: QuarantineRecord | undefined
}

/**
 * What a strike would change; `undefined` = nothing, because it is known, or of no version of the script.
 *
 * Strikes of versions that get traffic count together, for the script. Those of another version, on its preview
 * host or told too late, count for that version alone: they can't put what is deployed by now in quarantine.
 */
export function planStrike(
  sql: SqlStorage,
  script: string,
  strike: Strike,
  policy: StrikePolicy,
  nowMs: number,
): StrikePlan | undefined {
  const isolate = strike.digest.split('.', 1)[0] ?? ''
  const version = findStruckVersion(sql, script, isolate, strike.versionId)
  if (!version || sql.exec('SELECT 1 FROM strikes WHERE id = ?', strike.id).toArray().length > 0) {
    return undefined
  }
  const { id, kind, detail } = strike
  const atMs = Math.min(strike.atMs, nowMs)
  const record = { id, script, version_id: version, isolate, kind, at_ms: atMs, detail }

  const deployed = deployedIsolates(sql, script)
  const scope = deployed.includes(isolate) ? '' : isolate
  const together = scope === '' ? deployed : [isolate]
  const counted = [...listStrikes(sql, script), record].filter(({ isolate }) => together.includes(isolate))
  const before = findQuarantine(sql, script, scope)
  const judged = judgeStrike(
    toMark(record),
    counted.map(toMark),
    before && { untilMs: before.quarantine.untilMs, level: before.level },
    policy,
    nowMs,
  )
  if (!judged) return { record, quarantine: undefined }
  const { quarantine, level, strikes } = judged
  const struck = [...new Set(strikes.map(({ isolate }) => isolate))]
  return { record, quarantine: { script, isolate: scope, struck, level, quarantine } }
}

function toMark({ kind, at_ms, isolate }: StrikeRecord): StrikeMark & { isolate: string } {
  return { kind, atMs: at_ms, isolate }
}

/** Stores it; of the script's strikes the latest stay. */
export function insertStrike(sql: SqlStorage, strike: StrikeRecord): void {
  const { id, script, version_id, isolate, kind, at_ms, detail } = strike
  sql.exec(
    'INSERT INTO strikes VALUES (?, ?, ?, ?, ?, ?, ?)',
    ...[id, script, version_id, isolate, kind, at_ms, detail],
  )
  sql.exec(
    `DELETE FROM strikes WHERE script = ?1 AND id NOT IN (
       SELECT id FROM strikes WHERE script = ?1 ORDER BY at_ms DESC LIMIT ?2)`,
    script,
    LIMITS.strikesKept,
  )
}

/** Newest first. */
export function listStrikes(sql: SqlStorage, script: string): StrikeRecord[] {
  return sql
    .exec('SELECT * FROM strikes WHERE script = ? ORDER BY at_ms DESC, id', script)
    .toArray() as unknown as StrikeRecord[]
}

export function putQuarantine(sql: SqlStorage, record: QuarantineRecord): void {
  const { script, isolate, struck, level, quarantine } = record
  sql.exec(
    'INSERT OR REPLACE INTO quarantines VALUES (?, ?, ?, ?, ?, ?)',
    ...[script, isolate, JSON.stringify(struck), level, quarantine.untilMs, JSON.stringify(quarantine)],
  )
}

/** Those in force, by script; or of one script only. */
export function listQuarantines(sql: SqlStorage, nowMs: number, script?: string): QuarantineRecord[] {
  return selectQuarantines(
    sql,
    'until_ms > ?1 AND coalesce(script = ?2, 1) ORDER BY script, isolate',
    nowMs,
    script ?? null,
  )
}

/** Forgets a script's strikes and quarantines. */
export function clearStrikes(sql: SqlStorage, script: string): void {
  sql.exec('DELETE FROM strikes WHERE script = ?', script)
  sql.exec('DELETE FROM quarantines WHERE script = ?', script)
}

/**
 * Ends the quarantines that a new deployment ends: the script's if none of the struck code is deployed any more,
 * and those of versions that get traffic from now on, as somebody wants to see them run.
 */
export function endQuarantines(sql: SqlStorage, script: string): void {
  const deployed = deployedIsolates(sql, script)
  for (const { isolate, struck } of selectQuarantines(sql, 'script = ?', script)) {
    const isOver = isolate === '' ? !struck.some(code => deployed.includes(code)) : deployed.includes(isolate)
    if (isOver) sql.exec('DELETE FROM quarantines WHERE script = ? AND isolate = ?', script, isolate)
  }
}

/** The version a strike is shown with: the one it names, else one that is deployed, else the newest with that code. */
function findStruckVersion(
  sql: SqlStorage,
  script: string,
  isolate: string,
  versionId: string | undefined,
): string | undefined {
  const ids = sql
    .exec<{ id: string }>(
      'SELECT id FROM versions WHERE script = ? AND isolate = ? ORDER BY number DESC',
      script,
      isolate,
    )
    .toArray()
    .map(({ id }) => id)
  const shares = currentDeployment(sql, script)?.versions ?? []
  return (
    ids.find(id => id === versionId) ??
    ids.find(id => shares.some(({ version_id }) => version_id === id)) ??
    ids[0]
  )
}

function deployedIsolates(sql: SqlStorage, script: string): string[] {
  const shares = currentDeployment(sql, script)?.versions ?? []
  return shares.flatMap(({ version_id }) =>
    sql
      .exec<{ isolate: string }>('SELECT isolate FROM versions WHERE id = ?', version_id)
      .toArray()
      .map(({ isolate }) => isolate),
  )
}

function findQuarantine(sql: SqlStorage, script: string, isolate: string): QuarantineRecord | undefined {
  return selectQuarantines(sql, 'script = ? AND isolate = ?', script, isolate)[0]
}

function selectQuarantines(
  sql: SqlStorage,
  where: string,
  ...values: (string | number | null)[]
): QuarantineRecord[] {
  return sql
    .exec<Record<string, string | number>>(`SELECT * FROM quarantines WHERE ${where}`, ...values)
    .toArray()
    .map(({ script, isolate, struck, level, quarantine }) => ({
      script: String(script),
      isolate: String(isolate),
      struck: JSON.parse(String(struck)) as string[],
      level: Number(level),
      quarantine: JSON.parse(String(quarantine)) as Quarantine,
    }))
}
