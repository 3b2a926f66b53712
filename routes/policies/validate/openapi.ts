import * as v from 'valibot'
import type { Exchange } from '../exchange.ts'
import { definePolicy, type Phase, type Verdict } from '../policy.ts'
import { type BodyBounds, mayHaveBody, takeBody } from './check-body.ts'
import { Failures } from './failures.ts'
import { formats, making, maxBodyBytes, maxDepth, readTable, tableOrText } from './make-schema.ts'
import { OpenApiDocument } from './openapi/document.ts'
import { type Operation, type Operations, readOperations, readServerPaths } from './openapi/operations.ts'
import type { FoundPath, PathTable } from './openapi/path-table.ts'
import { type Pairs, parsePairs } from './pairs.ts'

const options = v.strictObject({
  document: v.pipe(
    tableOrText,
    v.description('The OpenAPI document, version 3.0 or 3.1; `"file:openapi.json"` reads it from a file.'),
  ),
  base_path: v.pipe(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(/^(\/[^?#]*[^/?#])?$/, 'It must begin with "/" and not end with one, or be empty.'),
      ),
    ),
    v.description('The path below which the document’s paths are; by default those of its `servers`.'),
  ),
  unknown: v.pipe(
    v.optional(v.picklist(['refuse', 'pass']), 'refuse'),
    v.description(
      'What is done with paths (404), methods (405) and bodies (400) that the document doesn’t have: `refuse` or `pass`.',
    ),
  ),
  unknown_query: v.pipe(
    v.optional(v.picklist(['refuse', 'pass']), 'pass'),
    v.description('What is done with query parameters that the operation doesn’t have.'),
  ),
  formats,
  max_body_bytes: maxBodyBytes,
  max_depth: maxDepth,
})

type OpenApiOptions = v.InferOutput<typeof options>

/** Refuses requests that aren't as an OpenAPI document wants them, and says all that is wrong. */
export const openApiPolicy = definePolicy({
  type: 'openapi',
  summary: 'Checks requests by an OpenAPI document: paths, methods, parameters and bodies.',
  options,
  create: options => new OpenApiPhase(options),
})

class OpenApiPhase implements Phase {
  readonly #options: BodyBounds & Pick<OpenApiOptions, 'unknown' | 'unknown_query'>
  readonly #paths: PathTable<Operations>
  readonly #bases: readonly string[]

  constructor({ document: written, base_path, ...options }: OpenApiOptions) {
    const { formats, unknown, unknown_query, max_body_bytes, max_depth } = options
    this.#options = { unknown, unknown_query, max_body_bytes, max_depth }
    const made = making('document', () => {
      const document = new OpenApiDocument(readTable('document', written), formats)
      return { paths: readOperations(document), bases: readServerPaths(document) }
    })
    this.#paths = made.paths
    this.#bases = base_path === undefined ? made.bases : [base_path]
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const found = this.#find(exchange.url.pathname)
    if (!found) return this.#unknownPath(exchange)
    const { method } = exchange.request
    const operation = found.value.get(method) ?? (method === 'HEAD' ? found.value.get('GET') : undefined)
    if (!operation) return this.#unknownMethod(exchange, found.value)
    exchange.trace?.note('The operation was found.', { operation: operation.name })
    const failures = new Failures()
    this.#checkParameters(exchange, operation, found.params, failures)
    if (operation.body) return operation.body.check(exchange, this.#options, failures)
    const isRefused = this.#options.unknown === 'refuse' && mayHaveBody(exchange.request)
    return isRefused ? this.#refuseBody(exchange, failures) : failures.verdict(exchange)
  }

  #find(path: string): FoundPath<Operations> | undefined {
    for (const base of this.#bases) {
      if (base !== '' && path !== base && !path.startsWith(`${base}/`)) continue
      const found = this.#paths.find(path.slice(base.length))
      if (found) return found
    }
    return undefined
  }

  #checkParameters(
    exchange: Exchange,
    { parameters }: Operation,
    path: Readonly<Record<string, string>>,
    failures: Failures,
  ): void {
    const wantsQuery =
      this.#options.unknown_query === 'refuse' || parameters.some(({ part }) => part === 'query')
    const query: Pairs = wantsQuery ? parsePairs(exchange.url.search.slice(1)) : NO_PAIRS
    for (const parameter of parameters) parameter.check({ exchange, path, query }, failures)
    if (this.#options.unknown_query === 'pass') return
    for (const name of query.keys()) {
      if (!parameters.some(parameter => parameter.isNamed(name)))
        failures.add('query', [name], 'is not known here')
    }
  }

  #unknownPath(exchange: Exchange): Verdict {
    exchange.trace?.note('The document has no such path.', { path: exchange.url.pathname })
    if (this.#options.unknown === 'pass') return undefined
    return exchange.refuse('ERR_OPERATION_NOT_FOUND', 'There is nothing at this path.')
  }

  #unknownMethod(exchange: Exchange, operations: Operations): Verdict {
    const methods = [...operations.keys()]
    if (operations.has('GET') && !operations.has('HEAD')) methods.push('HEAD')
    exchange.trace?.note('The document has no such method at this path.', { methods })
    if (this.#options.unknown === 'pass') return undefined
    const allow = methods.join(', ')
    return exchange.refuse('ERR_METHOD_NOT_ALLOWED', `Allowed are ${allow || 'no methods'}.`, { allow })
  }

  /** That a body is there may only show when it is read. */
  async #refuseBody(exchange: Exchange, failures: Failures): Promise<Verdict> {
    const bytes = await takeBody(exchange, this.#options)
    if (bytes instanceof Response) return bytes
    if (bytes.length > 0) failures.add('body', [], 'is not wanted here')
    return failures.verdict(exchange)
  }
}

const NO_PAIRS: Pairs = new Map()
