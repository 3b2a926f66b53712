import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Exchange } from '../exchange.ts'
import { definePolicy, type Phase, type Verdict } from '../policy.ts'
import { type BodyBounds, checkJson, mayHaveBody, refuseCoding, refuseType, takeBody } from './check-body.ts'
import { Failures, type RequestPart } from './failures.ts'
import { formats, making, maxBodyBytes, maxDepth, readTable, tableOrText } from './make-schema.ts'
import { fitsType, parseMediaType } from './media-type.ts'
import { decodeForm, decodePercent, parsePairs, splitList } from './pairs.ts'
import { type Schema, SchemaCompiler } from './schema/compile.ts'
import { DRAFTS, type Draft, draftOf } from './schema/dialect.ts'
import { TextReader } from './text-reader.ts'

const options = v.pipe(
  v.strictObject({
    body: v.pipe(
      v.optional(tableOrText),
      v.description('The JSON Schema of the body, which must be JSON then.'),
    ),
    query: v.pipe(
      v.optional(tableOrText),
      v.description(
        'The JSON Schema of the query as an object; numbers, booleans and lists are read as such.',
      ),
    ),
    params: v.pipe(
      v.optional(tableOrText),
      v.description('The JSON Schema of what the `:name`s of the route’s path stand for, as an object.'),
    ),
    headers: v.pipe(
      v.optional(tableOrText),
      v.description(
        'The JSON Schema of the headers that it names in `properties` or `required`, as an object.',
      ),
    ),
    content_types: v.pipe(
      v.optional(
        v.pipe(v.array(v.pipe(v.string(), v.toLowerCase())), v.minLength(1, 'The list must not be empty.')),
        ['application/json', 'application/*+json'],
      ),
      v.description('Media types that bodies may be of; others are refused (415).'),
    ),
    body_required: v.pipe(
      v.optional(v.boolean()),
      v.description(
        'Whether there must be a body; without it, in all but GET, HEAD, DELETE, OPTIONS and TRACE.',
      ),
    ),
    draft: v.pipe(
      v.optional(v.picklist(Object.keys(DRAFTS) as Draft[])),
      v.description('The version of JSON Schema; by default what `$schema` says, else 2020-12.'),
    ),
    formats,
    max_body_bytes: maxBodyBytes,
    max_depth: maxDepth,
  }),
  v.check(
    ({ body, query, params, headers }) => [body, query, params, headers].some(each => each !== undefined),
    'There must be a schema: of "body", "query", "params" or "headers".',
  ),
)

type JsonSchemaOptions = v.InferOutput<typeof options>

/** Refuses requests whose body, query, path or headers aren't as JSON Schemas want them, and says all that is wrong. */
export const jsonSchemaPolicy = definePolicy({
  type: 'json-schema',
  summary: 'Checks body, query, path and headers of requests by JSON Schemas.',
  options,
  create: options => new JsonSchemaPhase(options),
})

class JsonSchemaPhase implements Phase {
  readonly #bounds: BodyBounds
  readonly #contentTypes: readonly string[]
  readonly #isBodyRequired: boolean | undefined
  readonly #body: Schema | undefined
  readonly #query: TextReader | undefined
  readonly #params: TextReader | undefined
  readonly #headers: TextReader | undefined
  readonly #headerNames: readonly string[]

  constructor(options: JsonSchemaOptions) {
    const { body, query, params, headers, draft, formats } = options
    this.#bounds = options
    this.#contentTypes = options.content_types
    this.#isBodyRequired = options.body_required
    const compilerOf = (option: string, written: NonNullable<JsonSchemaOptions['body']>) => {
      const schema = readTable(option, written)
      return new SchemaCompiler(schema, DRAFTS[draft ?? draftOf(schema) ?? '2020-12'], formats)
    }
    const readerOf = (option: string, written: JsonSchemaOptions['body']) =>
      written === undefined
        ? undefined
        : making(option, () => {
            const compiler = compilerOf(option, written)
            return new TextReader(compiler.root, compiler).prepare()
          })
    if (body !== undefined) {
      this.#body = making('body', () => {
        const compiler = compilerOf('body', body)
        return compiler.compile(compiler.root)
      })
    }
    this.#query = readerOf('query', query)
    this.#params = readerOf('params', params)
    this.#headers = readerOf('headers', headers)
    this.#headerNames = namesOf(this.#headers)
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const failures = new Failures()
    this.#checkTexts(exchange, failures)
    return this.#body ? this.#checkBody(exchange, this.#body, failures) : failures.verdict(exchange)
  }

  #checkTexts(exchange: Exchange, failures: Failures): void {
    const { request, params } = exchange
    check('path', this.#params, failures, () =>
      Object.entries(params).map(([name, text]) => [name, [decodePercent(text)]]),
    )
    check('query', this.#query, failures, () =>
      [...parsePairs(exchange.url.search.slice(1))].map(([name, texts]) => [name, texts.map(decodeForm)]),
    )
    check('header', this.#headers, failures, reader =>
      this.#headerNames.flatMap((name): Pair[] => {
        const text = request.headers.get(name)
        if (text === null) return []
        return [[name, reader.member(name)?.isList ? splitList(text) : [text]]]
      }),
    )
  }

  #checkBody(exchange: Exchange, schema: Schema, failures: Failures): Verdict | Promise<Verdict> {
    const { request } = exchange
    if (!mayHaveBody(request)) return this.#withoutBody(exchange, failures)
    const type = parseMediaType(request.headers.get('content-type'))
    const isTaken =
      type &&
      (type.charset === undefined || type.charset === 'utf-8') &&
      this.#contentTypes.some(pattern => fitsType(type.essence, pattern))
    const refusal = isTaken ? refuseCoding(exchange) : refuseType(exchange, this.#contentTypes)
    return refusal ?? this.#readBody(exchange, schema, failures)
  }

  async #readBody(exchange: Exchange, schema: Schema, failures: Failures): Promise<Verdict> {
    const bytes = await takeBody(exchange, this.#bounds)
    if (bytes instanceof Response) return bytes
    if (bytes.length === 0) return this.#withoutBody(exchange, failures)
    failures.look('body', () => checkJson(bytes, schema, this.#bounds, failures))
    return failures.verdict(exchange)
  }

  #withoutBody(exchange: Exchange, failures: Failures): Verdict {
    if (exchange.isDryRun) exchange.trace?.note('There is no body to check.')
    else if (this.#isBodyRequired ?? !WITHOUT_BODY.has(exchange.request.method)) {
      failures.add('body', [], 'is missing')
    }
    return failures.verdict(exchange)
  }
}

type Pair = readonly [name: string, texts: readonly string[]]

/** Checks a part of the request that is made of names and texts. */
function check(
  part: RequestPart,
  reader: TextReader | undefined,
  failures: Failures,
  pairs: (reader: TextReader) => readonly Pair[],
): void {
  if (!reader) return
  failures.look(part, () => {
    failures.addAll(part, reader.schema.errorsOf(reader.object(pairs(reader))))
  })
}

/** Names that headers can have. @throws SkerryError ERR_GATEWAY_FILE */
function namesOf(reader: TextReader | undefined): readonly string[] {
  const names = [...(reader?.names ?? [])]
  const wrong = names.find(name => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
  if (wrong === undefined) return names
  throw new SkerryError('ERR_GATEWAY_FILE', `In "headers": "${wrong}" can't be the name of a header.`)
}

/** Methods whose requests mostly have none. */
const WITHOUT_BODY: ReadonlySet<string> = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS', 'TRACE'])
