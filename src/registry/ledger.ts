import type { AccountChanges } from '../core/routing.ts'
import { Meta } from './meta.ts'

/** Who is told of changes: an edge, or the objects' process. */
type Follower = { apply(changes: AccountChanges): Promise<void> }

/**
 * An account's database, and the changes of it: each is one transaction that raises the revision, and is pushed to
 * the edges before it is acknowledged.
 */
export class Ledger {
  readonly storage: DurableObjectStorage
  readonly sql: SqlStorage
  readonly meta: Meta
  readonly #read: (from: number) => Promise<AccountChanges>
  readonly #followers: () => readonly Follower[]
  /** Until the last change was sent to the edges: opening secrets takes a while, and none may overtake another. */
  #sent: Promise<unknown> = Promise.resolve()

  /** @param read all that changed after a revision; reads the tables before its first await */
  constructor(
    storage: DurableObjectStorage,
    read: (from: number) => Promise<AccountChanges>,
    followers: () => readonly Follower[],
  ) {
    this.storage = storage
    this.sql = storage.sql
    this.meta = new Meta(storage.sql)
    this.#read = read
    this.#followers = followers
  }

  /** The last change's number; 0 = there was none. */
  get revision(): number {
    return this.meta.number('revision')
  }

  /** Makes a change, whole or not at all; what it throws is thrown. */
  async commit<T>(change: (revision: number) => T): Promise<T> {
    const { value, from } = this.storage.transactionSync(() => {
      const from = this.revision
      this.meta.set('revision', from + 1)
      return { value: change(from + 1), from }
    })
    await this.#push(this.#read(from))
    return value
  }

  /** An edge that can't be reached reads everything when it is back, so it holds nobody up. */
  async #push(reading: Promise<AccountChanges>): Promise<void> {
    const giveUp = new Promise<void>(resolve => setTimeout(resolve, PUSH_TIMEOUT_MS))
    const pushes = this.#sent.then(async () => {
      const changes = await reading
      return this.#followers().map(follower => follower.apply(changes))
    })
    this.#sent = pushes.catch(() => {})
    reading.catch(() => {})
    await Promise.race([pushes.then(sent => Promise.allSettled(sent)), giveUp])
  }
}

/** Pushing a change waits no longer than this for an edge. */
const PUSH_TIMEOUT_MS = 2000
