import type { Exchange } from '../../exchange.ts'
import { parseCookies } from '../../oidc/cookies.ts'
import type { Failures, RequestPart } from '../failures.ts'
import { decodeForm, decodePercent, type Pairs } from '../pairs.ts'
import { SchemaFault } from '../schema/fault.ts'
import { below } from '../schema/resources.ts'
import { TextReader } from '../text-reader.ts'
import type { OpenApiDocument, Part } from './document.ts'
import { readStyled, STYLES, type Style } from './styles.ts'

/** Where parameters of a request are found. */
export interface Sources {
  readonly exchange: Exchange
  /** From the path, undecoded. */
  readonly path: Readonly<Record<string, string>>
  readonly query: Pairs
}

/** A parameter of an operation. */
export class Parameter {
  readonly name: string
  readonly part: Exclude<RequestPart, 'body'>
  readonly #isRequired: boolean
  readonly #style: Style
  readonly #explodes: boolean
  readonly #reader: TextReader | undefined
  /** Its text is JSON. */
  readonly #isJson: boolean

  /** @throws SchemaFault */
  constructor(at: Part, document: OpenApiDocument) {
    const { name, in: part, required, style, explode } = at.schema
    if (typeof name !== 'string' || !isPart(part)) {
      throw new SchemaFault(
        at.pointer,
        'A parameter must have a "name", and "in": query, path, header or cookie.',
      )
    }
    this.name = name
    this.part = part
    this.#isRequired = required === true || part === 'path'
    this.#style = (style ?? DEFAULT_STYLE[part]) as Style
    if (!STYLES[part].includes(this.#style)) {
      const known = STYLES[part].join(', ')
      throw new SchemaFault(
        at.pointer,
        `The style "${this.#style}" isn't read in ${part}; there are ${known}.`,
      )
    }
    this.#explodes = typeof explode === 'boolean' ? explode : this.#style === 'form'
    const content = document.part(at, 'content')
    const [type] = Object.keys(content?.schema ?? {})
    const media = type === undefined ? undefined : document.part(content, type)
    const holder = media ?? at
    this.#isJson = media !== undefined
    this.#reader = Object.hasOwn(holder.schema, 'schema')
      ? new TextReader(below(holder, 'schema'), document.compiler).prepare()
      : undefined
  }

  /** Names in the query that are its own. */
  isNamed(name: string): boolean {
    if (this.part !== 'query') return false
    if (this.#style === 'deepObject') return name.startsWith(`${this.name}[`)
    if (this.#isSpread)
      return this.#reader?.names.has(name) === true || this.#reader?.member(name) !== undefined
    return name === this.name
  }

  /** Notes what is wrong with it. */
  check(sources: Sources, failures: Failures): void {
    const texts = this.#textsFrom(sources)
    if (texts === undefined) {
      if (this.#isRequired) failures.add(this.part, [this.name], 'is missing')
      return
    }
    const reader = this.#reader
    if (!reader) return
    failures.look(this.part, () => {
      const read = this.#read(texts, reader)
      if ('problem' in read) failures.add(this.part, [this.name], read.problem)
      else failures.addAll(this.part, reader.schema.errorsOf(read.value), [this.name])
    })
  }

  /** Its members are parameters of their own. */
  get #isSpread(): boolean {
    const isForm = this.part === 'query' && this.#style === 'form' && this.#explodes
    return isForm && !this.#isJson && this.#reader?.isObject === true
  }

  /** Its texts, undecoded; `undefined` if it isn't there. */
  #textsFrom({ exchange, path, query }: Sources): readonly string[] | Pairs | undefined {
    const { name, part } = this
    if (part === 'query') {
      if (!this.#isSpread && this.#style !== 'deepObject') return query.get(name)
      const own = [...query].filter(([each]) => this.isNamed(each))
      return own.length === 0 ? undefined : new Map(own)
    }
    const { headers } = exchange.request
    const text =
      part === 'path'
        ? path[name]
        : part === 'header'
          ? headers.get(name)
          : parseCookies(headers.get('cookie')).find(([each]) => each === name)?.[1]
    return text === undefined || text === null ? undefined : [text]
  }

  #read(texts: readonly string[] | Pairs, reader: TextReader): { value: unknown } | { problem: string } {
    if (texts instanceof Map) {
      const start = this.#style === 'deepObject' ? this.name.length + 1 : 0
      const members = [...(texts as Pairs)].map(
        ([name, values]) =>
          [start > 0 ? name.slice(start).replace(/\]$/, '') : name, values.map(decodeForm)] as const,
      )
      return { value: reader.object(members) }
    }
    const list = texts as readonly string[]
    const decode = this.part === 'query' ? decodeForm : this.part === 'header' ? plain : decodePercent
    if (this.#isJson) return readJson(list, decode)
    return readStyled(list, { style: this.#style, explodes: this.#explodes, decode }, reader)
  }
}

function readJson(
  texts: readonly string[],
  decode: (text: string) => string,
): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(decode(texts[0] ?? '')) }
  } catch {
    return { problem: 'is not JSON' }
  }
}

const plain = (text: string): string => text
const isPart = (part: unknown): part is Exclude<RequestPart, 'body'> =>
  typeof part === 'string' && Object.hasOwn(DEFAULT_STYLE, part)

const DEFAULT_STYLE = { query: 'form', path: 'simple', header: 'simple', cookie: 'form' } as const
