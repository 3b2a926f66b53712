import type { ProcessOrders, ProcessReport, ProcessStatus } from '../core/processes.ts'

/** Takes a report in; gives what was ordered since the last. */
export function putProcesses({ processes }: ProcessReport): ProcessOrders {
  latest = { processes, updated_on: new Date().toISOString() }
  const orders = { restart: restartOrdered }
  restartOrdered = false
  return orders
}

/** The latest report; `undefined` where no supervisor runs the platform. */
export function latestProcesses(): { processes: readonly ProcessStatus[]; updated_on: string } | undefined {
  return latest
}

/** Orders a rolling restart; the supervisor takes it up with its next report, within a second. */
export function orderRestart(): void {
  restartOrdered = true
}

// The process's memory: the supervisor tells everything again a second after a restart.
let latest: ReturnType<typeof latestProcesses>
let restartOrdered = false
