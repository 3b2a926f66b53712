import * as v from 'valibot'
import { IDENTITY_HEADERS } from '../../src/core/reserved-headers.ts'
import type { Exchange } from './exchange.ts'
import { definePolicy, type Phase } from './policy.ts'
import { HeaderTemplate } from './template-value.ts'

const headerName = v.pipe(
  v.string(),
  v.regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, 'It must be the name of a header.'),
  v.toLowerCase(),
  v.check(
    name => !FRAMING.has(name),
    'Headers that frame or route the message can’t be changed: host, connection, content-length, transfer-encoding, upgrade.',
  ),
)
const requestHeaderName = v.pipe(
  headerName,
  v.check(
    name => !(IDENTITY_HEADERS as readonly string[]).includes(name),
    'What tells the target who calls can’t be made up; `identity_headers` of the route puts it in.',
  ),
)
const template = v.pipe(
  v.string(),
  v.maxLength(4096, 'At most 4096 characters.'),
  v.regex(/^[\x20-\x7e]*$/, 'It must be printable ASCII in one line.'),
  v.check(
    text => HeaderTemplate.problemOf(text) === undefined,
    issue => HeaderTemplate.problemOf(issue.input) ?? '',
  ),
)
const parameterName = v.pipe(v.string(), v.minLength(1), v.maxLength(256))

const headerChanges = (name: typeof headerName | typeof requestHeaderName) =>
  v.optional(
    v.strictObject({
      remove: v.pipe(v.optional(v.array(headerName), []), v.description('Taken out, first of all.')),
      rename: v.pipe(
        v.optional(v.record(headerName, name), {}),
        v.description('Old names and new ones; a header that is there under the new one is replaced.'),
      ),
      set: v.pipe(
        v.optional(v.record(name, template), {}),
        v.description('Put in, in place of what is there.'),
      ),
      add: v.pipe(v.optional(v.record(name, template), {}), v.description('Put in beside what is there.')),
      default: v.pipe(v.optional(v.record(name, template), {}), v.description('Put in if there is none.')),
    }),
  )

const options = v.strictObject({
  request: v.pipe(
    headerChanges(requestHeaderName),
    v.description('Changes to the headers that the target sees.'),
  ),
  response: v.pipe(headerChanges(headerName), v.description('Changes to the headers that the caller sees.')),
  query: v.pipe(
    v.optional(
      v.strictObject({
        remove: v.pipe(v.optional(v.array(parameterName), []), v.description('Taken out.')),
        set: v.pipe(
          v.optional(v.record(parameterName, template), {}),
          v.description('Put in, in place of what is there.'),
        ),
        add: v.pipe(
          v.optional(v.record(parameterName, template), {}),
          v.description('Put in beside what is there.'),
        ),
      }),
    ),
    v.description('Changes to the query that the target sees.'),
  ),
  path: v.pipe(
    v.optional(
      v.strictObject({
        strip_prefix: v.pipe(
          v.optional(
            v.pipe(v.string(), v.regex(/^\/[^?#]*[^/?#]$/, 'It must begin with "/" and not end with one.')),
          ),
          v.description('A beginning that the target doesn’t see; whole segments only.'),
        ),
        add_prefix: v.pipe(
          v.optional(
            v.pipe(v.string(), v.regex(/^\/[^?#]*[^/?#]$/, 'It must begin with "/" and not end with one.')),
          ),
          v.description('A beginning that the target sees.'),
        ),
      }),
    ),
    v.description('Changes to the path that the target sees; `rewrite` of the route can do more.'),
  ),
})

type TransformOptions = v.InferOutput<typeof options>
type HeaderChanges = NonNullable<TransformOptions['request']>
type QueryChanges = NonNullable<TransformOptions['query']>

/** Changes headers, query and path on the way in, and headers on the way out. */
export const transformPolicy = definePolicy({
  type: 'transform',
  summary: 'Changes headers, query and path of requests, and headers of responses.',
  options,
  create: options => new TransformPhase(options),
})

class TransformPhase implements Phase {
  readonly #request: CompiledChanges | undefined
  readonly #response: CompiledChanges | undefined
  readonly #query: CompiledQuery | undefined
  readonly #path: TransformOptions['path']

  constructor({ request, response, query, path }: TransformOptions) {
    this.#request = request && compileChanges(request)
    this.#response = response && compileChanges(response)
    this.#query = query && compileQuery(query)
    this.#path = path
  }

  request(exchange: Exchange): undefined {
    if (this.#query || this.#path) this.#changeUrl(exchange)
    const { headers } = exchange.request
    if (this.#request) {
      for (const [from, to] of this.#request.rename) {
        const value = headers.get(from)
        if (value === null) continue
        exchange.requestHeaders.delete(from)
        exchange.requestHeaders.set(to, value)
      }
      note(this.#request, exchange.requestHeaders, exchange)
    }
    // What needs no look at the response is noted like any other policy's change.
    if (this.#response && this.#response.rename.length === 0) {
      note(this.#response, exchange.responseHeaders, exchange)
    }
    return undefined
  }

  response(response: Response, exchange: Exchange): Response {
    if (!this.#response || this.#response.rename.length === 0) return response
    for (const [from, to] of this.#response.rename) {
      const value = response.headers.get(from)
      if (value === null) continue
      exchange.responseHeaders.delete(from)
      exchange.responseHeaders.set(to, value)
    }
    note(this.#response, exchange.responseHeaders, exchange)
    return response
  }

  #changeUrl(exchange: Exchange): void {
    const url = new URL(exchange.request.url)
    const { strip_prefix, add_prefix } = this.#path ?? {}
    const { pathname } = url
    if (strip_prefix && (pathname === strip_prefix || pathname.startsWith(`${strip_prefix}/`))) {
      url.pathname = pathname.slice(strip_prefix.length) || '/'
    }
    if (add_prefix) url.pathname = `${add_prefix}${url.pathname === '/' ? '' : url.pathname}`
    if (this.#query) {
      // To take out what isn't there would still write the whole query anew.
      for (const name of this.#query.remove) if (url.searchParams.has(name)) url.searchParams.delete(name)
      for (const [name, value] of this.#query.set) url.searchParams.set(name, value.expandText(exchange))
      for (const [name, value] of this.#query.add) url.searchParams.append(name, value.expandText(exchange))
    }
    if (url.href === exchange.request.url) return
    exchange.trace?.note('The URL was changed.', { url: `${url.pathname}${url.search}` })
    exchange.request = new Request(url.href, exchange.request)
  }
}

type Pairs = readonly (readonly [name: string, value: HeaderTemplate])[]

interface CompiledChanges {
  readonly remove: readonly string[]
  readonly rename: readonly (readonly [string, string])[]
  readonly set: Pairs
  readonly add: Pairs
  readonly default: Pairs
}

interface CompiledQuery {
  readonly remove: readonly string[]
  readonly set: Pairs
  readonly add: Pairs
}

function compileChanges({ remove, rename, set, add, default: given }: HeaderChanges): CompiledChanges {
  const pairs = { set: compilePairs(set), add: compilePairs(add), default: compilePairs(given) }
  return { remove, rename: Object.entries(rename), ...pairs }
}

function compileQuery({ remove, set, add }: QueryChanges): CompiledQuery {
  return { remove, set: compilePairs(set), add: compilePairs(add) }
}

function compilePairs(texts: Readonly<Record<string, string>>): Pairs {
  return Object.entries(texts).map(([name, text]) => [name, new HeaderTemplate(text)] as const)
}

function note(changes: CompiledChanges, edits: Exchange['requestHeaders'], exchange: Exchange): void {
  for (const name of changes.remove) edits.delete(name)
  for (const [name, value] of changes.set) edits.set(name, value.expand(exchange))
  for (const [name, value] of changes.add) edits.append(name, value.expand(exchange))
  for (const [name, value] of changes.default) edits.setIfAbsent(name, value.expand(exchange))
}

/** Headers by which a message is framed or routed. */
const FRAMING: ReadonlySet<string> = new Set([
  'host',
  'connection',
  'content-length',
  'transfer-encoding',
  'upgrade',
  'keep-alive',
  'te',
  'trailer',
])
