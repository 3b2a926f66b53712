import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { Failure, messageOf, systemCodeOf } from './failure.ts'

/** Makes a directory, and its parents, that only its owner can enter; one that exists is narrowed to that. */
export function ensurePrivateDir(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    chmodSync(path, 0o700)
  } catch (error) {
    throw new Failure(
      `Cannot use the directory ${path}: ${messageOf(error)}. Set SKERRY_DATA_DIR to one you own.`,
      1,
      { cause: error },
    )
  }
}

/** The secrets that a platform runs with. */
export interface Secrets {
  readonly adminToken: string
  /** The token was made just now: the one moment to show it. */
  readonly isNewAdminToken: boolean
  /** base64 of 32 bytes. */
  readonly masterKey: string
}

/**
 * The admin token and the master key of a data directory, made at its first use (files of mode 0600). A token
 * given by the operator is used as it is and never written.
 *
 * @throws Failure if a file is there but doesn't hold what it should: a new master key could not read the
 * secrets that the old one wrote
 */
export function readOrCreateSecrets(dataDir: string, givenToken: string | undefined): Secrets {
  const masterKey = readOrCreate(join(dataDir, 'master-key'), () => randomBytes(32).toString('base64'))
  if (Buffer.from(masterKey.text, 'base64').byteLength !== 32) {
    throw new Failure(
      `${join(dataDir, 'master-key')} must hold the base64 of 32 bytes. Restore it from a backup: without it the stored secrets can't be read.`,
    )
  }
  if (givenToken) return { adminToken: givenToken, isNewAdminToken: false, masterKey: masterKey.text }

  const token = readOrCreate(join(dataDir, 'admin-token'), () => randomBytes(32).toString('hex'))
  if (!token.text) {
    throw new Failure(
      `${join(dataDir, 'admin-token')} is empty. Delete it, and the next start makes a new one.`,
    )
  }
  return { adminToken: token.text, isNewAdminToken: token.isNew, masterKey: masterKey.text }
}

/** The admin token that a data directory holds; `undefined` if it has none (yet). */
export function readAdminToken(dataDir: string): string | undefined {
  return readText(join(dataDir, 'admin-token')) || undefined
}

/** A text file's trimmed content, or `undefined` if there is no such file. */
export function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT' || systemCodeOf(error) === 'ENOTDIR') return undefined
    throw new Failure(`Cannot read ${path}: ${messageOf(error)}.`, 1, { cause: error })
  }
}

/** Replaces a file whole (mode 0600): after a crash there is the old content or the new one, never a part. */
export function writeFileAtomic(path: string, content: string | Uint8Array): void {
  const temporary = `${path}.${process.pid}.tmp`
  const fd = openSync(temporary, 'w', 0o600)
  try {
    const bytes = Buffer.from(content)
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
  renameSync(temporary, path)
  // The rename itself lasts only once the directory is on disk: a master key must not be forgotten.
  const dir = openSync(dirname(path), 'r')
  try {
    fsyncSync(dir)
  } finally {
    closeSync(dir)
  }
}

function readOrCreate(path: string, create: () => string): { text: string; isNew: boolean } {
  const existing = readText(path)
  if (existing !== undefined) {
    chmodSync(path, 0o600)
    return { text: existing, isNew: false }
  }
  const text = create()
  writeFileAtomic(path, `${text}\n`)
  return { text, isNew: true }
}
