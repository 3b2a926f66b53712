import type { ObjectCode } from './code.ts'
import { noteSocket } from './sockets.ts'
import { CONTROL_HEADER, CONTROL_URL, CONTROLS, type ObjectTarget } from './target.ts'

/** What a user's object is started with; class.prelude.js makes its context of it. */
export interface FacetProps {
  readonly id: string
  readonly name?: string
  readonly jurisdiction?: string
  readonly namespace: string
  /** Its alarm, milliseconds since the epoch. */
  readonly alarm: number | null
  /** Where it sets that. */
  readonly alarms: Fetcher
}

/** An alarm, as the host delivers it. */
export interface AlarmOrder {
  readonly scheduledTime: number
  readonly retryCount: number
  /** It isn't tried again if it fails. */
  readonly isLast: boolean
}

interface Running {
  readonly code: ObjectCode
  /** A WebSocket went through its host: it lives as long as this run. */
  hasSockets: boolean
  /** The class has no RPC: it doesn't extend DurableObject. */
  isPlain: boolean
  /** It has an `alarm()`, so it may set one; `undefined` until it was asked. */
  hasAlarm: boolean | undefined
}

/** The one facet of an object's host: the user's object itself, with the user's storage. */
export class ObjectFacet {
  readonly #ctx: DurableObjectState
  #running: Running | undefined
  #calls = 0

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx
  }

  /**
   * The object, running the given code; started if it isn't running, and started anew if it runs other code.
   *
   * When somebody begins or ends reading logs, it goes on in another isolate as soon as no call and no socket
   * would notice.
   */
  use(code: ObjectCode, toProps: () => FacetProps): Fetcher {
    const running = this.#running
    const isUnnoticed = this.#calls === 0 && !running?.hasSockets
    const isOutdated =
      running && (running.code.key !== code.key || (isUnnoticed && running.code.isTailing !== code.isTailing))
    if (isOutdated) this.#abort()
    return this.#ctx.facets.get(NAME, () => {
      this.#running = { code, hasSockets: false, isPlain: false, hasAlarm: undefined }
      return {
        class: code.worker().getDurableObjectClass(code.className, { props: toProps() }),
        id: this.#ctx.id,
      }
    })
  }

  /** Runs a call, and returns when what it said of its alarm is durable. */
  async run<T>(target: ObjectTarget, facet: Fetcher, call: () => Promise<T>): Promise<T> {
    this.#calls++
    try {
      const result = await call()
      if (result instanceof Response && result.webSocket && this.#running) {
        this.#running.hasSockets = true
        noteSocket(target, this.#running.code.key)
      }
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
   * Delivers the object's alarm, or, without one, waits until what it said of its alarm is durable and says
   * whether it can have one. By RPC or, where its class has none, by a request.
   */
  async control(facet: Fetcher, alarm?: AlarmOrder): Promise<unknown> {
    const running = this.#running
    if (!running?.isPlain) {
      try {
        return await (facet as unknown as Controlled)[CONTROLS[alarm ? 1 : 0]](alarm)
      } catch (error) {
        if (!running || !isWithoutRpc(error)) throw error
        running.isPlain = true
      }
    }
    const headers = { [CONTROL_HEADER]: JSON.stringify(alarm ?? null) }
    return (await facet.fetch(CONTROL_URL, { headers })).json()
  }

  /** Ends the object, with its sockets, unless it runs the code of a key. */
  leave(key: string): void {
    if (this.#running?.code.key !== key) this.#abort()
  }

  /** Ends the object and deletes all it stored. */
  delete(): void {
    this.#running = undefined
    this.#ctx.facets.delete(NAME)
  }

  #abort(): void {
    this.#running = undefined
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
