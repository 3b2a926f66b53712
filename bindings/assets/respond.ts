import { chooseEncoding } from '../../src/core/accept-encoding.ts'
import { RecentMap } from '../../src/core/recent-map.ts'
import type { RedirectTarget } from './document.ts'
import { type Coding, codeBytes, heldBytes, mayBeCoded, readFile } from './files.ts'
import type { HeaderEdit, Plan } from './site.ts'

/** How an answer is made. */
export interface RespondOptions {
  readonly code: KVNamespace
  /** The answer goes to a client as it is: bodies may be coded as the client accepts them. */
  readonly mayCode: boolean
}

/** The answer to a request by the plan for its path. At once, where the file is in memory. */
export function respond(plan: Plan, request: Request, options: RespondOptions): Response | Promise<Response> {
  switch (plan.kind) {
    case 'moved': {
      const headers = { location: toLocation(plan.target, request.url) }
      return respondEmpty(plan, plan.target.status, headers)
    }
    case 'none':
      return respondEmpty(plan, 404)
    case 'respelt':
      if (!isRead(request)) return respondEmpty(plan, 405)
      return respondEmpty(plan, 307, { location: plan.path + queryOf(request.url) })
    case 'file':
      return isRead(request) ? respondFile(plan, request, options) : respondEmpty(plan, 405)
  }
}

type FilePlan = Extract<Plan, { kind: 'file' }>

function respondFile(
  plan: FilePlan,
  request: Request,
  { code, mayCode }: RespondOptions,
): Response | Promise<Response> {
  const { file } = plan
  const held = heldBytes(file)
  const isKept = !request.headers.has('authorization') && !request.headers.has('range')
  const delivery: Delivery = { isKept, isHeld: held !== undefined, mayCode }
  const match = request.headers.get('if-none-match')
  if (match !== null && (match === `"${file[0]}"` || match === `W/"${file[0]}"`)) {
    return new Response(null, toInit(304, begin(plan, 'identity', delivery).headers))
  }
  if (request.method === 'HEAD') return new Response(null, begin(plan, 'identity', delivery))
  if (held) return respondBytes(plan, request, held, delivery)
  return readFile(code, file).then(({ body, isHeld }) => {
    const late = { isKept, isHeld, mayCode }
    if (body instanceof Uint8Array) return respondBytes(plan, request, body, late)
    return new Response(body, begin(plan, 'identity', late))
  })
}

/** How a file's answer came about. */
interface Delivery extends Pick<RespondOptions, 'mayCode'> {
  /** Caches may keep it. */
  readonly isKept: boolean
  /** It was in memory. */
  readonly isHeld: boolean
}

function respondBytes(plan: FilePlan, request: Request, bytes: Uint8Array, delivery: Delivery): Response {
  const plain = begin(plan, 'identity', delivery)
  if (delivery.mayCode && mayBeCoded(plan.file) && !forbidsCoding(plain.headers)) {
    const coding = codingFor(request.headers.get('accept-encoding'))
    const coded = coding && codeBytes(plan.file, bytes, coding)
    if (coding && coded) return new Response(coded, begin(plan, coding, delivery))
  }
  return new Response(bytes, plain)
}

/**
 * How a file's answer begins. The usual beginnings are made once a path, as responses without body: workerd takes
 * all it needs from one in a single step, and looks up every property of anything else.
 */
function begin(plan: FilePlan, coding: Coding | 'identity', delivery: Delivery): Response {
  const isUsual = delivery.isKept && delivery.isHeld && delivery.mayCode
  const known = isUsual ? plan.beginnings?.get(coding) : undefined
  if (known) return known
  const init = toInit(plan.status, makeHeaders(plan, coding, delivery))
  const made = new Response(null, coding === 'identity' ? init : { ...init, encodeBody: 'manual' })
  if (isUsual) {
    plan.beginnings ??= new Map()
    plan.beginnings.set(coding, made)
  }
  return made
}

function makeHeaders(
  { file, edits }: FilePlan,
  coding: Coding | 'identity',
  { isKept, isHeld, mayCode }: Delivery,
): Headers {
  const [etag, , , type] = file
  const headers = new Headers({ etag: `"${etag}"` })
  if (type !== null) headers.set('content-type', type)
  if (isKept) headers.set('cache-control', 'public, max-age=0, must-revalidate')
  headers.set('cf-cache-status', isHeld ? 'HIT' : 'MISS')
  applyEdits(headers, edits)
  if (!mayCode || !mayBeCoded(file) || forbidsCoding(headers)) return headers
  headers.append('vary', 'Accept-Encoding')
  if (coding === 'identity') return headers
  headers.set('content-encoding', coding)
  const strong = headers.get('etag')
  // The bytes are others now.
  if (strong?.startsWith('"')) headers.set('etag', `W/${strong}`)
  return headers
}

/** `_headers` says that it is coded already, or must not be. */
function forbidsCoding(headers: Headers): boolean {
  return headers.has('content-encoding') || /\bno-transform\b/i.test(headers.get('cache-control') ?? '')
}

/** A header is set by the first rule that names it, and added to by those after it. */
function applyEdits(headers: Headers, edits: readonly HeaderEdit[]): void {
  const seen = new Set<string>()
  for (const { set, unset } of edits) {
    for (const name of unset) headers.delete(name)
    for (const [name, value] of set) {
      if (seen.has(name)) headers.append(name, value)
      else headers.set(name, value)
      seen.add(name)
    }
  }
}

function respondEmpty({ edits }: Plan, status: number, init?: Record<string, string>): Response {
  const headers = new Headers(init)
  applyEdits(headers, edits)
  return new Response(null, toInit(status, headers))
}

function toInit(status: number, headers: Headers): ResponseInit {
  return { status, statusText: TEXTS[status] ?? '', headers }
}

const TEXTS: Readonly<Record<number, string>> = {
  200: 'OK',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  404: 'Not Found',
  405: 'Method Not Allowed',
}

/** The target's own query comes before the request's; on the same origin, the path alone is said. */
function toLocation({ to }: RedirectTarget, url: string): string {
  const from = new URL(url)
  const { origin, href, pathname, search, hash } = new URL(to, url)
  const query = search || from.search
  if (origin === from.origin) return `${pathname}${query}${hash}`
  return `${href.slice(0, href.length - search.length - hash.length)}${query}${hash}`
}

function queryOf(url: string): string {
  return url.includes('?') ? new URL(url).search : ''
}

function isRead({ method }: Request): boolean {
  return method === 'GET' || method === 'HEAD'
}

function codingFor(accepted: string | null): Coding | undefined {
  if (accepted === null) return undefined
  const known = codings.get(accepted)
  if (known) return known === 'identity' ? undefined : known
  const chosen = chooseEncoding(accepted, CODINGS)
  // What a client makes up isn't kept.
  if (accepted.length <= 100) codings.set(accepted, chosen ?? 'identity')
  return chosen
}

const CODINGS: readonly Coding[] = ['br', 'gzip']
const codings = new RecentMap<string, Coding | 'identity'>(256)
