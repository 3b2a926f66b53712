import type { Exchange } from '../../exchange.ts'
import type { Verdict } from '../../policy.ts'
import {
  type BodyBounds,
  checkForm,
  checkJson,
  mayHaveBody,
  refuseCoding,
  refuseType,
  takeBody,
} from '../check-body.ts'
import type { Failures } from '../failures.ts'
import { fitsType, isJson, parseMediaType } from '../media-type.ts'
import type { Schema } from '../schema/compile.ts'
import { below } from '../schema/resources.ts'
import { TextReader } from '../text-reader.ts'
import type { OpenApiDocument, Part } from './document.ts'

/** What an operation says of bodies of a type. */
interface Content {
  /** As in the document, without parameters: `application/json`, `text/*`. */
  readonly pattern: string
  /** Of JSON. */
  readonly schema: Schema | undefined
  /** Of forms. */
  readonly form: TextReader | undefined
}

/** The body that an operation takes. */
export class RequestBody {
  readonly #isRequired: boolean
  /** The most exact first. */
  readonly #contents: readonly Content[]

  /** @throws SchemaFault */
  constructor(at: Part, document: OpenApiDocument) {
    this.#isRequired = at.schema.required === true
    const content = document.part(at, 'content')
    this.#contents = Object.keys(content?.schema ?? {})
      .map(type => toContent(type, document.part(content, type), document))
      .sort((a, b) => exactness(b.pattern) - exactness(a.pattern))
  }

  /** Checks the body, adds to failures, and says what comes of all of them. */
  check(exchange: Exchange, bounds: BodyBounds, failures: Failures): Verdict | Promise<Verdict> {
    const { request } = exchange
    if (!mayHaveBody(request)) return this.#withoutBody(exchange, failures)
    const type = parseMediaType(request.headers.get('content-type'))
    const content = type && this.#contents.find(({ pattern }) => fitsType(type.essence, pattern))
    const types = this.#contents.map(({ pattern }) => pattern)
    if (!content) return refuseType(exchange, types)
    const { schema, form } = content
    const isText = isJson(type.essence) || form !== undefined
    // Of other types nothing but the type can be checked, so they pass unread.
    if (!isText) return failures.verdict(exchange)
    if (type.charset !== undefined && type.charset !== 'utf-8') return refuseType(exchange, types)
    return refuseCoding(exchange) ?? this.#read(exchange, { schema, form, bounds }, failures)
  }

  async #read(
    exchange: Exchange,
    { schema, form, bounds }: Pick<Content, 'schema' | 'form'> & { bounds: BodyBounds },
    failures: Failures,
  ): Promise<Verdict> {
    const bytes = await takeBody(exchange, bounds)
    if (bytes instanceof Response) return bytes
    if (bytes.length === 0) return this.#withoutBody(exchange, failures)
    failures.look('body', () => {
      if (form) checkForm(bytes, form, failures)
      else checkJson(bytes, schema, bounds, failures)
    })
    return failures.verdict(exchange)
  }

  #withoutBody(exchange: Exchange, failures: Failures): Verdict {
    if (exchange.isDryRun) exchange.trace?.note('There is no body to check.')
    else if (this.#isRequired) failures.add('body', [], 'is missing')
    return failures.verdict(exchange)
  }
}

function toContent(type: string, at: Part | undefined, document: OpenApiDocument): Content {
  const pattern = type.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  if (!at || !Object.hasOwn(at.schema, 'schema')) return { pattern, schema: undefined, form: undefined }
  const schema = below(at, 'schema')
  if (pattern === FORM) {
    return { pattern, schema: undefined, form: new TextReader(schema, document.compiler).prepare() }
  }
  return { pattern, schema: document.compiler.compile(schema), form: undefined }
}

const exactness = (pattern: string): number => (pattern.includes('*') ? 0 : 1_000) + pattern.length

const FORM = 'application/x-www-form-urlencoded'
