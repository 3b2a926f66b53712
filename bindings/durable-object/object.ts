import { DurableObject } from 'cloudflare:workers'
import { toSkerryError } from '../../src/core/errors.ts'
import type { ObjectsEnv } from '../../src/env.ts'
import { Alarm } from '../alarm.ts'
import { afterFailure, afterOutage, isLastTry, type ObjectAlarm } from './alarms.ts'
import { type ObjectCode, resolveObjectCode } from './code.ts'
import { type FacetProps, ObjectFacet } from './facet.ts'
import { toFailureResponse, withObjectId } from './failures.ts'
import {
  CONTROL_HEADER,
  decodeHeader,
  OBJECT_HEADER,
  type ObjectTarget,
  PLACE_HEADER,
  SENT_HEADER,
  type SentRequest,
  toHostName,
} from './target.ts'

/**
 * The host of a user's Durable Object, which is its facet and has its storage to itself. The host knows whose
 * object it is, runs it with the code that is deployed, and keeps its alarm, which facets can't.
 *
 * What it stores itself: README.md. Reached by the objects role only.
 */
export class UserObject extends DurableObject<ObjectsEnv> {
  readonly #facet: ObjectFacet
  #object: ObjectTarget | undefined
  #alarm: ObjectAlarm | undefined
  readonly #ownAlarm: Alarm
  /** The call that is on its way to the facet and has to wait for something. */
  #entering: Promise<void> | undefined

  constructor(ctx: DurableObjectState, env: ObjectsEnv) {
    super(ctx, env)
    this.#facet = new ObjectFacet(ctx)
    this.#object = ctx.storage.kv.get<ObjectTarget>(OBJECT_KEY)
    const alarm = ctx.storage.kv.get<ObjectAlarm>(ALARM_KEY)
    this.#alarm = alarm
    this.#ownAlarm = new Alarm(ctx.storage)
    // The runtime gives an alarm up whose handler failed too often, and this one may not be.
    if (alarm) void this.#ownAlarm.set(alarm.dueMs)
  }

  /** Calls a method of the user's object; reads a property where there are no arguments. */
  async callFacet(target: ObjectTarget, path: readonly string[], args?: unknown[]): Promise<unknown> {
    const facet = await this.#enter(target)
    return this.#facet.run(target, facet, async () => {
      let member: unknown = facet
      for (const key of path) member = Reflect.get(member as object, key)
      return args ? (member as Method)(...args) : member
    })
  }

  /** Sends a request to the user's object; a failure is an answer of its own kind. */
  override async fetch(request: Request): Promise<Response> {
    const target = decodeHeader(request.headers.get(OBJECT_HEADER)) as ObjectTarget
    try {
      const facet = await this.#enter(target)
      const forwarded = toOwnRequest(request)
      return await this.#facet.run(target, facet, () => facet.fetch(forwarded))
    } catch (error) {
      return toFailureResponse(withObjectId(error, target.id))
    }
  }

  /** For the user's object: the time of its alarm, if it has one. */
  getUserAlarm(): number | null {
    return this.#alarm?.scheduledTime ?? null
  }

  /** The user's object sets its alarm, or deletes it. */
  async setUserAlarm(time: number | null): Promise<void> {
    await this.#keepAlarm(time === null ? undefined : { scheduledTime: time, dueMs: time, retryCount: 0 })
  }

  /** Delivers the alarm: at least once, and again after a failure. */
  override async alarm(): Promise<void> {
    const alarm = this.#alarm
    if (!alarm || !this.#object) return
    if (alarm.dueMs > Date.now()) return this.#keepAlarm(alarm)
    const after = await this.#deliver(alarm, this.#object)
    if (this.#alarm === alarm) await this.#keepAlarm(after)
  }

  /** Other code than it ran was deployed: ends it, which closes its sockets. It starts at its next call. */
  leaveCode(key: string): void {
    this.#facet.leave(key)
  }

  /** Deletes all that the object is and has. */
  async destroy(): Promise<void> {
    this.#facet.delete()
    this.#object = undefined
    this.#alarm = undefined
    await this.ctx.storage.deleteAlarm()
    await this.ctx.storage.deleteAll()
  }

  /** What the alarm is after it was delivered, unless the object set it anew. */
  async #deliver(alarm: ObjectAlarm, object: ObjectTarget): Promise<ObjectAlarm | undefined> {
    try {
      const facet = await this.#enter(object)
      const { scheduledTime, retryCount } = alarm
      const order = { scheduledTime, retryCount, isLast: isLastTry(alarm) }
      const isTaken = await this.#facet.control(facet, { ...order, isCertain: false })
      // It has set another, so it believes, which would have come here by now: what it set before it was reset
      // may come after what it set or read since.
      if (!isTaken && this.#alarm === alarm) await this.#facet.control(facet, { ...order, isCertain: true })
      return undefined
    } catch (error) {
      // A code of ours: it didn't run.
      return toSkerryError(error) ? afterOutage(alarm, Date.now()) : afterFailure(alarm, Date.now())
    }
  }

  async #keepAlarm(alarm: ObjectAlarm | undefined): Promise<void> {
    this.#alarm = alarm
    const { storage } = this.ctx
    if (alarm) {
      storage.kv.put(ALARM_KEY, alarm)
      await this.#ownAlarm.set(alarm.dueMs)
    } else {
      storage.kv.delete(ALARM_KEY)
      await storage.deleteAlarm()
    }
  }

  /** The user's object, with the code that it is to run now. Calls get to it in the order they came. */
  async #enter(target: ObjectTarget): Promise<Fetcher> {
    while (this.#entering) await this.#entering
    const found = this.#find(target)
    if (!(found instanceof Promise)) return found
    const entering = found.then(ignore, ignore)
    this.#entering = entering
    try {
      return await found
    } finally {
      if (this.#entering === entering) this.#entering = undefined
    }
  }

  /** A promise only where there is something to wait for. */
  #find(target: ObjectTarget): Fetcher | Promise<Fetcher> {
    const code = resolveObjectCode(target, this.env, this.ctx)
    if (code instanceof Promise || !this.#isKnown(target)) return this.#prepare(code, target)
    return this.#use(code, target)
  }

  async #prepare(resolved: ObjectCode | Promise<ObjectCode>, target: ObjectTarget): Promise<Fetcher> {
    const code = await resolved
    if (!this.#isKnown(target)) await this.#become(target)
    return this.#use(code, target)
  }

  #isKnown({ name }: ObjectTarget): boolean {
    return this.#object !== undefined && (name === undefined || name === this.#object.name)
  }

  #use(code: ObjectCode, target: ObjectTarget): Fetcher {
    return this.#facet.use(code, () => this.#toProps(target))
  }

  /** Remembers what object this is. The index knows it before it can have stored anything. */
  async #become(target: ObjectTarget): Promise<void> {
    const { accountId, namespaceId, id } = target
    const name = target.name ?? this.#object?.name
    const { OBJECT_INDEX } = this.env
    const index = OBJECT_INDEX.get(OBJECT_INDEX.idFromName(`${accountId}/${namespaceId}`))
    await index.add(id, name === undefined ? {} : { name })
    this.#object = name === undefined ? target : { ...target, name }
    this.ctx.storage.kv.put(OBJECT_KEY, this.#object)
  }

  #toProps(target: ObjectTarget): FacetProps {
    const { id, namespaceId, jurisdiction, name } = target
    const own = name ?? this.#object?.name
    return {
      id,
      namespace: namespaceId,
      ...(own !== undefined && { name: own }),
      ...(jurisdiction !== undefined && { jurisdiction }),
      alarms: this.ctx.exports.ObjectAlarms({ props: { object: toHostName(target) } }),
    }
  }
}

/** The request as its sender made it. */
function toOwnRequest(request: Request): Request {
  const { cf, host } = decodeHeader(request.headers.get(SENT_HEADER)) as SentRequest
  const { url, method, headers, body, redirect, signal } = request
  const own = cf
    ? new Request(request, { cf })
    : new Request(url, { method, headers, body, redirect, signal })
  for (const name of [OBJECT_HEADER, SENT_HEADER, PLACE_HEADER, CONTROL_HEADER]) own.headers.delete(name)
  if (host === null) own.headers.delete('host')
  return own
}

type Method = (...args: unknown[]) => Promise<unknown>

/** Each waits for those before it, whatever becomes of them. */
const ignore = () => {}

const OBJECT_KEY = 'object'
const ALARM_KEY = 'alarm'
