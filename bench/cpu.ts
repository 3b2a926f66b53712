import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/** Whether servers and client can have a core each: Linux with util-linux and two cores. */
export const canPin =
  process.platform === 'linux' &&
  availableParallelism() >= 2 &&
  spawnSync('taskset', ['--version']).status === 0

const SERVER_CORE = '0'
const CLIENT_CORE = '1'
const EVERY_CORE = `0-${availableParallelism() - 1}`

let pinned = false

/** Keeps this process on one core and the servers started from now on on another, until disposed of. */
export function pinToCores(): Disposable {
  pinned = canPin
  if (pinned) pin(process.pid, CLIENT_CORE)
  return {
    [Symbol.dispose]() {
      if (pinned) pin(process.pid, EVERY_CORE)
      pinned = false
    },
  }
}

/** Moves all threads of a server to the servers' core, while cores are pinned. */
export function pinServer(pid: number): void {
  if (pinned) pin(pid, SERVER_CORE)
}

/** The time that the threads of these processes ran, in microseconds; `undefined` where `/proc` doesn't tell. */
export function readCpuUs(pids: readonly number[]): number | undefined {
  try {
    let ns = 0
    for (const pid of pids) {
      for (const task of readdirSync(`/proc/${pid}/task`)) {
        ns += Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'latin1').split(' ', 1)[0])
      }
    }
    return ns / 1000
  } catch {
    return undefined
  }
}

function pin(pid: number, cores: string): void {
  spawnSync('taskset', ['--all-tasks', '--cpu-list', '--pid', cores, String(pid)], { stdio: 'ignore' })
}
