import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from './failure.ts'
import { isSameProcess, readProcessIdentity } from './process-identity.ts'

interface ProcessRecord {
  readonly pid: number
  readonly identity: string
}

const SUFFIX = '.pid.json'

/** Notes in the run directory which process serves as `name`, for the next start to find if we are killed. */
export function recordProcess(runDir: string, name: string, pid: number): void {
  const identity = readProcessIdentity(pid)
  // Gone already, or the system doesn't tell processes apart: a record could only mislead.
  if (!identity) return
  mkdirSync(runDir, { recursive: true, mode: 0o700 })
  writeFileSync(join(runDir, name + SUFFIX), JSON.stringify({ pid, identity } satisfies ProcessRecord), {
    mode: 0o600,
  })
}

/** Forgets a process that has ended. */
export function forgetProcess(runDir: string, name: string): void {
  rmSync(join(runDir, name + SUFFIX), { force: true })
}

/**
 * Kills the processes that an earlier supervisor recorded and left running, and waits for their end. Only the
 * very processes: a pid that another program has by now is left alone. Call it with the data directory locked.
 *
 * @returns the pids killed
 */
export async function killOrphans(runDir: string): Promise<number[]> {
  const killed: number[] = []
  for (const file of listRecords(runDir)) {
    const record = readRecord(join(runDir, file))
    if (record && isSameProcess(record.pid, record.identity)) {
      // We start each as the leader of a group: its own children go with it.
      process.kill(-record.pid, 'SIGKILL')
      await waitUntilGone(record)
      killed.push(record.pid)
    }
    rmSync(join(runDir, file), { force: true })
  }
  return killed
}

function listRecords(runDir: string): string[] {
  try {
    return readdirSync(runDir).filter(file => file.endsWith(SUFFIX))
  } catch {
    return []
  }
}

function readRecord(path: string): ProcessRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(path, 'utf8')) as Partial<ProcessRecord>
    const { pid, identity } = record
    return typeof pid === 'number' && typeof identity === 'string' ? { pid, identity } : undefined
  } catch {
    // Half-written when its writer was killed: the watchdog has dealt with that process.
    return undefined
  }
}

async function waitUntilGone(record: ProcessRecord): Promise<void> {
  for (let waitedMs = 0; isSameProcess(record.pid, record.identity); waitedMs += 10) {
    if (waitedMs > 5000)
      throw new Failure(`Process ${record.pid} of an earlier start survives SIGKILL. Restart the machine.`)
    await delay(10)
  }
}
