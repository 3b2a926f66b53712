import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Failure } from './failure.ts'
import { isSameProcess, readProcessIdentity } from './process-identity.ts'

/** The right to use a data directory, held until released or until the process ends, however it ends. */
export interface DataLock {
  release(): void
}

interface Owner {
  readonly pid: number
  readonly identity: string | undefined
  readonly since: string
}

// Reachable as long as held: a database that is garbage collected is closed, and its lock gone.
const held = new Set<DatabaseSync>()

/**
 * Takes a data directory for this process.
 *
 * The lock is the kernel's, on a SQLite file: taken atomically, and gone with its owner even after a `kill -9`,
 * so there is nothing stale to recognise and no race between two who find it stale. `lock.json` beside it only
 * names the owner in messages.
 *
 * @throws Failure naming the process that has it
 */
export function lockDataDir(dataDir: string): DataLock {
  const ownerPath = join(dataDir, 'lock.json')
  const db = openLocked(join(dataDir, 'lock.db'), () => describeOwner(ownerPath, dataDir))

  const owner: Owner = {
    pid: process.pid,
    identity: readProcessIdentity(process.pid),
    since: new Date().toISOString(),
  }
  writeFileSync(ownerPath, `${JSON.stringify(owner)}\n`, { mode: 0o600 })
  held.add(db)
  return {
    release() {
      if (held.delete(db)) db.close()
    },
  }
}

/** The pid of the process that runs on a data directory, if one does and says so. */
export function readLockOwner(dataDir: string): number | undefined {
  const owner = readOwner(join(dataDir, 'lock.json'))
  return owner?.identity && isSameProcess(owner.pid, owner.identity) ? owner.pid : undefined
}

function openLocked(path: string, describeBusy: () => string): DatabaseSync {
  const db = new DatabaseSync(path)
  try {
    db.exec('BEGIN EXCLUSIVE')
    return db
  } catch (error) {
    db.close()
    const isBusy = error instanceof Error && 'errcode' in error && error.errcode === 5
    if (isBusy) throw new Failure(describeBusy(), 1, { cause: error })
    throw new Failure(`Cannot lock ${path}: ${String(error)}. Put the data directory on a local disk.`, 1, {
      cause: error,
    })
  }
}

function describeOwner(ownerPath: string, dataDir: string): string {
  const owner = readOwner(ownerPath)
  const who = owner ? `process ${owner.pid} (since ${owner.since})` : 'another process'
  return `The data directory ${dataDir} is in use by ${who}. Stop it, or set SKERRY_DATA_DIR to another directory.`
}

function readOwner(path: string): Owner | undefined {
  try {
    const owner = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner>
    if (typeof owner.pid !== 'number') return undefined
    return { pid: owner.pid, identity: owner.identity, since: owner.since ?? 'unknown' }
  } catch {
    return undefined
  }
}
