import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'

/**
 * What tells a process from a later one with the same pid: when it started. `undefined` if there is no such
 * process, or if the system doesn't say: then it must not be taken for ours.
 *
 * Linux: boot id and start tick, so that a record which outlived a reboot matches nothing.
 */
export function readProcessIdentity(pid: number): string | undefined {
  if (!Number.isInteger(pid) || pid < 1) return undefined
  try {
    return process.platform === 'linux' ? readLinuxIdentity(pid) : readPortableIdentity(pid)
  } catch {
    return undefined
  }
}

/** True while the very process that was recorded runs. */
export function isSameProcess(pid: number, identity: string): boolean {
  return readProcessIdentity(pid) === identity
}

function readLinuxIdentity(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field is the program's name in parentheses and may itself hold spaces and parentheses; state
  // is the first field after it, the start tick the twentieth (proc_pid_stat(5), fields 3 and 22).
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  // A zombie has ended: it holds no socket and no file.
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  return fields[19] && `${bootId}:${fields[19]}`
}

function readPortableIdentity(pid: number): string | undefined {
  const text = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim()
  return text || undefined
}
