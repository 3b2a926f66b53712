/** Changes that the platform acknowledged; `ticks` are those of the cron that were run. */
export interface Acknowledged {
  readonly deploys: number
  readonly newScripts: number
  readonly kvPuts: number
  readonly functionPuts: number
  readonly secrets: number
  readonly ticks: number
}

/** A value that only grows: what was acknowledged last, and what was sent last. */
export interface Counter {
  sent: number
  acknowledged: number
}

/** What was sent to the platform and what it acknowledged. */
export class Ledger {
  readonly deploys: Counter = { sent: 0, acknowledged: 0 }
  readonly secrets: Counter = { sent: 0, acknowledged: 0 }
  /** The versions of acknowledged deploys. */
  readonly versions: string[] = []
  /** The numbers of acknowledged new scripts; and the last that was sent. */
  readonly born: number[] = []
  births = 0
  /** Values by key, as written through the API and by a function. */
  readonly fromApi = new Map<string, string>()
  readonly fromFunction = new Map<string, string>()
  /** The cron's runs that were found; it runs since then, in milliseconds since the epoch. */
  ticks = 0
  tickingSinceMs = 0

  acknowledged(): Acknowledged {
    return {
      deploys: this.versions.length,
      newScripts: this.born.length,
      kvPuts: this.fromApi.size,
      functionPuts: this.fromFunction.size,
      secrets: this.secrets.acknowledged,
      ticks: this.ticks,
    }
  }
}

/** The scripts and the namespace that change. */
export const NAMESPACE = 'c4a54000000000000000000000000000'
export const VALUES = `$A/storage/kv/namespaces/${NAMESPACE}/values`
export const APP = '$A/workers/scripts/app'
