import { toNamedId } from './named-id.ts'

/** What a Durable Object binding reaches. Set by the platform only. */
export interface NamespaceProps {
  readonly accountId: string
  /** 32 hex digits; never given twice. */
  readonly namespaceId: string
  /** The script that exports the class, and the class, when the binding was made. */
  readonly script: string
  readonly className: string
}

/** An object of a namespace, as its caller names it. */
export interface ObjectAddress {
  /** 64 hex digits, lower case. */
  readonly id: string
  /** Absent for ids that were made or read without one. */
  readonly name?: string
  readonly jurisdiction?: string
}

/** A user's Durable Object. */
export type ObjectTarget = NamespaceProps & ObjectAddress

/** What names the host of a user's object. */
export type HostedObject = Pick<ObjectTarget, 'accountId' | 'namespaceId' | 'id'>

/** Says which object a request is for: between isolate and edge an address, after that a target, both percent-encoded JSON. */
export const OBJECT_HEADER = 'skerry-object'

/** What of a request the connection between processes has of its own: a `SentRequest`, percent-encoded JSON. */
export const SENT_HEADER = 'skerry-sent'

/** A request's `Place` in line between processes, percent-encoded JSON. */
export const PLACE_HEADER = 'skerry-place'

/** See `SENT_HEADER`. */
export interface SentRequest {
  readonly cf: IncomingRequestCfProperties | null
  readonly host: string | null
}

/** The calls that only an object's host makes of it, and the header and URL of such a request. As in class.prelude.js. */
export const CONTROLS = ['skerryFlush', 'skerryAlarm'] as const
export const CONTROL_HEADER = 'skerry-control'
export const CONTROL_URL = 'http://object/'

/** The name of a user's object among those of the objects role. */
export function toHostName({ accountId, namespaceId, id }: HostedObject): string {
  return `${accountId}/${namespaceId}/${id}`
}

/**
 * The object that an address means in a namespace: by its id, or by its name alone. The address comes from a
 * function. A promise only where an id is still to be made.
 *
 * @throws TypeError for what isn't an address
 */
export function toTarget(scope: NamespaceProps, address: unknown): ObjectTarget | Promise<ObjectTarget> {
  const { id, name, jurisdiction } = (address ?? {}) as Record<string, unknown>
  if (id === undefined && typeof name === 'string') {
    const place = typeof jurisdiction === 'string' ? jurisdiction : undefined
    const made = toNamedId(scope.namespaceId, name, place)
    const withId = (id: string) => toTarget(scope, { id, name, jurisdiction })
    return typeof made === 'string' ? withId(made) : made.then(withId)
  }
  if (typeof id !== 'string' || !/^[0-9a-f]{64}$/.test(id)) {
    throw new TypeError('Invalid Durable Object ID: must be 64 hex digits')
  }
  const { accountId, namespaceId, script, className } = scope
  return {
    accountId,
    namespaceId,
    script,
    className,
    id,
    ...(typeof name === 'string' && { name }),
    ...(typeof jurisdiction === 'string' && { jurisdiction }),
  }
}

/** A header's text as `OBJECT_HEADER`, `SENT_HEADER` and `PLACE_HEADER` have it. */
export function encodeHeader(value: unknown): string {
  return encodeURIComponent(JSON.stringify(value))
}

/** What `encodeHeader` was given; `undefined` if it wasn't. */
export function decodeHeader(text: string | null): unknown {
  try {
    return JSON.parse(decodeURIComponent(text ?? ''))
  } catch {
    return undefined
  }
}

/**
 * The member that a path names of an object, as RPC would find it. The path comes from a function.
 *
 * @throws TypeError for what isn't a path, and for the host's own call
 */
export function checkPath(path: unknown): readonly string[] {
  if (!Array.isArray(path) || path.length === 0 || path.some(key => typeof key !== 'string')) {
    throw new TypeError('The path of a call must be an array of names.')
  }
  if (CONTROLS.some(name => name === path[0])) {
    throw new TypeError(`The RPC receiver does not implement the method "${path[0]}".`)
  }
  if (RESERVED.has(path[0])) {
    throw new TypeError(`'${path[0]}' is a reserved method and cannot be called over RPC.`)
  }
  return path
}

/** What a stub of workerd has itself: not to be asked for by a path. */
const RESERVED: ReadonlySet<unknown> = new Set([
  'fetch',
  'connect',
  'queue',
  'scheduled',
  'dup',
  'constructor',
  'getRpcMethodForTestOnly',
  '__proto__',
])
