import type { ObjectCode } from './code.ts'
import { forgetRunning, noteRunning, type Running, recallRunning } from './running.ts'
import { CONTROL_HEADER, CONTROL_URL, CONTROLS, type ObjectTarget } from './target.ts'

/** What a user's object is started with; class.prelude.js makes its context of it. */
export interface FacetProps {
  readonly id: string
  readonly name?: string
  readonly jurisdiction?: string
  readonly namespace: string
  /** Where it reads and sets its alarm. */
  readonly alarms: Fetcher
}

/** An alarm, as the host delivers it. */
export interface AlarmOrder {
  readonly scheduledTime: number
  readonly retryCount: number
  /** It isn't tried again if it fails. */
  readonly isLast: boolean
  /** Whatever the object believes: the host has no other. */
  readonly isCertain: boolean
}

/** The one facet of an object's host: the user's object itself, with the user's storage. */
export class ObjectFacet {
  readonly #ctx: DurableObjectState
  #running: Running | undefined
  /** This instance of its host has used it. */
  #isUsed = false
  #calls = 0

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
    this.#running = recallRunning(ctx.id)
  }

  /**
   * The object, running the given code; started if it isn't running, and started anew if it runs other code.
   *
   * When somebody begins or ends reading logs, it goes on in another isolate as soon as no call and no socket
   * would notice.
   */
  use(code: ObjectCode, toProps: () => FacetProps): Fetcher {
    if (this.#isOutdated(code)) this.#abort()
    this.#isUsed = true
    return this.#ctx.facets.get(NAME, () => {
      const { key, isTailing } = code
      this.#running = { key, isTailing, isPlain: false, hasAlarm: undefined, withSockets: undefined }
      noteRunning(this.#ctx.id, this.#running)
      return {
        class: code.worker().getDurableObjectClass(code.className, { props: toProps() }),
        id: this.#ctx.id,
      }
    })
  }

  #isOutdated({ key, isTailing }: ObjectCode): boolean {
    const running = this.#running
    // It may be there from before this instance of its host, with code that nobody knows any more.
    if (!running) return !this.#isUsed
    const isUnnoticed = this.#calls === 0 && !running.withSockets
    return running.key !== key || (isUnnoticed && running.isTailing !== isTailing)
  }

  /** Runs a call, and returns when what it said of its alarm is durable. */
  async run<T>(target: ObjectTarget, facet: Fetcher, call: () => Promise<T>): Promise<T> {
    this.#calls++
    try {
      const result = await call()
      if (result instanceof Response && result.webSocket && this.#running) this.#running.withSockets = target
      if (this.#running?.hasAlarm !== false) {
        const hasAlarm = await this.control(facet)
        if (this.#running) this.#running.hasAlarm = hasAlarm === true
      }
      return result
    } finally {
      this.#calls--
    }
  }

  /**
   * Delivers the object's alarm, and says whether it took it: not if it has set another meanwhile. Without an alarm,
   * waits until what it said of its own is durable, and says whether it can have one. By RPC or, where its class has
   * none, by a request.
   */
  async control(facet: Fetcher, alarm?: AlarmOrder): Promise<unknown> {
    if (!this.#running?.isPlain) {
      try {
        return await (facet as unknown as Controlled)[CONTROLS[alarm ? 1 : 0]](alarm)
      } catch (error) {
        // It may have been started by this call.
        if (!this.#running || !isWithoutRpc(error)) throw error
        this.#running.isPlain = true
      }
    }
    const headers = { [CONTROL_HEADER]: JSON.stringify(alarm ?? null) }
    return (await facet.fetch(CONTROL_URL, { headers })).json()
  }

  /** Ends the object, with its sockets, unless it runs the code of a key. */
  leave(key: string): void {
    if (this.#running?.key !== key) this.#abort()
  }

  /** Ends the object and deletes all it stored. */
  delete(): void {
    this.#forget()
    this.#ctx.facets.delete(NAME)
  }

  #forget(): void {
    this.#running = undefined
    forgetRunning(this.#ctx.id)
  }

  #abort(): void {
    this.#forget()
    this.#ctx.facets.abort(NAME, Object.assign(new Error(CODE_UPDATED), { durableObjectReset: true }))
  }
}

type Controlled = Record<(typeof CONTROLS)[number], (alarm?: AlarmOrder) => Promise<unknown>>

/** Storage is kept under it. */
const NAME = 'user'

/** Cloudflare's words. */
const CODE_UPDATED = 'Durable Object reset because its code was updated.'

function isWithoutRpc(error: unknown): boolean {
  return (
    error instanceof Error && error.message.startsWith('The receiving Durable Object does not support RPC')
  )
}
