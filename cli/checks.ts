import { execFile } from 'node:child_process'
import { accessSync, constants, readdirSync, statfsSync, statSync } from 'node:fs'
import { BoundSocket, isIP } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf, systemCodeOf } from '../host/failure.ts'
import { probeHealth } from '../host/health.ts'
import { readLockOwner } from '../host/lock.ts'
import { canLook } from '../host/look.ts'
import type { HostOptions } from '../host/options.ts'
import { canRescue } from '../host/system-calls.ts'
import { findWorkerd } from '../host/workerd.ts'

/** What a check found. */
export interface CheckResult {
  readonly name: string
  readonly ok: boolean
  readonly found: string
  /** What to do; with every failure. */
  readonly fix?: string
}

type Check = (options: HostOptions) => CheckResult | Promise<CheckResult>

const MIN_FREE_BYTES = 256 * 1024 * 1024

/** Node runs our TypeScript and has the youngest part we use. The launcher sees to it; other starters may not. */
export const checkNode: Check = () => {
  const ok = Boolean(process.features.typescript) && typeof BoundSocket === 'function'
  const found = `${process.version} (${process.execPath})`
  return { name: 'node', ok, found, ...(!ok && { fix: 'Use Node 24.21 or newer, or run `npm install`.' }) }
}

/** The workerd binary runs on this machine. */
export const checkWorkerd: Check = async () => {
  try {
    const { stdout } = await promisify(execFile)(findWorkerd(), ['--version'], { timeout: 10_000 })
    return { name: 'workerd', ok: true, found: stdout.trim() }
  } catch (error) {
    const fix = 'Run `npm install`. workerd needs x86-64 or arm64 and, on Linux, glibc (Alpine has none).'
    return { name: 'workerd', ok: false, found: messageOf(error).trim(), fix }
  }
}

/** The port is free, or it is ours. */
export const checkPort: Check = async options => {
  const { host, port, domain, dataDir } = options
  const name = 'port'
  if (port === 0) return { name, ok: true, found: 'any free port' }
  if ((await probeHealth({ host, port, domain }, 1000)) === 200) {
    const pid = readLockOwner(dataDir)
    return { name, ok: true, found: `${host}:${port}, the platform answers${pid ? ` (process ${pid})` : ''}` }
  }
  if (!isIP(host)) return { name, ok: true, found: `${host}:${port}, not tried: SKERRY_HOST is a name` }
  try {
    using _socket = new BoundSocket({ host, port })
    return { name, ok: true, found: `${host}:${port} is free` }
  } catch (error) {
    const isTaken = systemCodeOf(error) === 'EADDRINUSE'
    const found = isTaken ? `${host}:${port} is in use by another program` : messageOf(error)
    const fix = isTaken
      ? 'Stop that program, or set SKERRY_PORT to another port.'
      : 'Set SKERRY_HOST to an address of this machine and SKERRY_PORT to 1024 or more.'
    return { name, ok: false, found, fix }
  }
}

/** The data directory can be written, and others can't read its secrets. */
export const checkDataDir: Check = ({ dataDir }) => {
  const name = 'data directory'
  const existing = nearestDir(dataDir)
  try {
    accessSync(existing, constants.R_OK | constants.W_OK | constants.X_OK)
  } catch {
    return { name, ok: false, found: `${existing} can't be written`, fix: 'Own it, or set SKERRY_DATA_DIR.' }
  }
  if (existing !== dataDir) return { name, ok: true, found: `${dataDir}, made at the first start` }

  const open = ['', 'admin-token', 'master-key'].map(file => join(dataDir, file)).filter(isOpenToOthers)
  if (open.length === 0) return { name, ok: true, found: dataDir }
  return {
    name,
    ok: false,
    found: `others can read ${open.join(', ')}`,
    fix: `Run: chmod go-rwx ${open.join(' ')}. If others have accounts here, replace the admin token.`,
  }
}

/** The clock doesn't stand before the last write of the data directory: expiries, crons and alarms follow it. */
export const checkClock: Check = ({ dataDir }) => {
  const nowMs = Date.now()
  const newestMs = Math.max(
    0,
    ...listFiles(dataDir).map(path => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0),
  )
  const aheadSeconds = Math.round((newestMs - nowMs) / 1000)
  const found = new Date(nowMs).toISOString()
  if (aheadSeconds <= 60) return { name: 'clock', ok: true, found }
  return {
    name: 'clock',
    ok: false,
    found: `${found}, ${aheadSeconds} s before the data directory's last write`,
    fix: 'Set the clock (`timedatectl set-ntp true`).',
  }
}

/** There is room to write. */
export const checkDisk: Check = ({ dataDir }) => {
  const { bavail, bsize } = statfsSync(nearestDir(dataDir))
  const freeBytes = bavail * bsize
  const ok = freeBytes >= MIN_FREE_BYTES
  const found = `${Math.floor(freeBytes / 1024 ** 2)} MiB free`
  const fix = `Free some space: below ${MIN_FREE_BYTES / 1024 ** 2} MiB deploys may fail. Or set SKERRY_DATA_DIR.`
  return { name: 'disk', ok, found, ...(!ok && { fix }) }
}

/** What a function that hangs is contained with: the platform runs without it, less well. */
export const checkContainment: Check = () => {
  const name = 'containment'
  const problem = canLook() ?? canRescue()
  if (problem === undefined) return { name, ok: true, found: 'functions that hang can be named' }
  const fix =
    'The platform runs, but a function that hangs is not blamed, or its process loses its connections.'
  return { name, ok: false, found: problem, fix }
}

/** Every check, in the order of their report. */
export const CHECKS: readonly Check[] = [
  checkNode,
  checkWorkerd,
  checkPort,
  checkDataDir,
  checkClock,
  checkDisk,
  checkContainment,
]

/** The directory itself, or the nearest parent that exists. */
function nearestDir(path: string): string {
  const isThere = statSync(path, { throwIfNoEntry: false })
  return isThere || dirname(path) === path ? path : nearestDir(dirname(path))
}

function isOpenToOthers(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0
  return (mode & 0o077) !== 0
}

function listFiles(dir: string): string[] {
  try {
    return readdirSync(dir, { recursive: true, encoding: 'utf8' }).map(file => join(dir, file))
  } catch {
    return []
  }
}
