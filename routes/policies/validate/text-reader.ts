import type { Schema, SchemaCompiler } from './schema/compile.ts'
import type { Located } from './schema/resources.ts'
import { type Shape, shapeOf } from './shape.ts'

/**
 * Reads texts as values of a schema's types: in query, path, headers and forms everything is a text.
 *
 * What isn't a number where one is wanted stays a text, so that the schema can say so.
 */
export class TextReader {
  readonly schema: Schema
  readonly #shape: Shape
  readonly #compiler: SchemaCompiler
  #items: TextReader | undefined
  readonly #members = new Map<string, TextReader>()
  #rest: TextReader | undefined

  /** @throws SchemaFault */
  constructor(at: Located, compiler: SchemaCompiler) {
    this.schema = compiler.compile(at)
    this.#compiler = compiler
    this.#shape = shapeOf(at, compiler.resources)
  }

  get isList(): boolean {
    return this.#shape.types.has('array')
  }

  get isObject(): boolean {
    return this.#shape.types.has('object')
  }

  /** Names of an object's members that the schema mentions. */
  get names(): ReadonlySet<string> {
    return new Set([...this.#shape.properties.keys(), ...this.#shape.required])
  }

  one(text: string): unknown {
    const candidates = candidatesOf(text, this.#shape.types)
    if (candidates.length === 1) return candidates[0]
    const fitting = candidates.find(candidate => this.schema.isValid(candidate))
    return fitting === undefined ? candidates[0] : fitting
  }

  list(texts: readonly string[]): unknown[] {
    const { items } = this.#shape
    if (items) this.#items ??= new TextReader(items, this.#compiler)
    return texts.map(text => this.#items?.one(text) ?? text)
  }

  /** The reader of an object's member; `undefined` if the schema says nothing of its type. */
  member(name: string): TextReader | undefined {
    const known = this.#members.get(name)
    if (known) return known
    const at = this.#shape.properties.get(name)
    if (at) {
      const made = new TextReader(at, this.#compiler)
      this.#members.set(name, made)
      return made
    }
    if (this.#shape.rest) this.#rest ??= new TextReader(this.#shape.rest, this.#compiler)
    return this.#rest
  }

  /** Makes every reader that may be needed, so that a schema's faults show now. */
  prepare(): this {
    this.list(['', ''])
    for (const name of this.#shape.properties.keys()) this.member(name)
    this.member('')
    return this
  }

  /** Of names and texts, an object. A name may be there several times where it is a list. */
  object(pairs: Iterable<readonly [name: string, texts: readonly string[]]>): Record<string, unknown> {
    const value: Record<string, unknown> = Object.create(null)
    for (const [name, texts] of pairs) {
      const reader = this.member(name)
      value[name] = reader ? reader.several(texts) : texts.length === 1 ? texts[0] : texts
    }
    return value
  }

  /** A list where the schema wants one, or there are several; else the one. */
  several(texts: readonly string[]): unknown {
    if (this.isList || texts.length !== 1) return this.list(texts)
    return this.one(texts[0] ?? '')
  }
}

function candidatesOf(text: string, types: ReadonlySet<string>): unknown[] {
  const candidates: unknown[] = []
  const wantsNumber = types.has('number') || types.has('integer')
  if (wantsNumber && text.length <= MAX_NUMBER_CHARS && NUMBER.test(text)) candidates.push(Number(text))
  if (types.has('boolean') && (text === 'true' || text === 'false')) candidates.push(text === 'true')
  if (types.has('null') && text === '') candidates.push(null)
  if (candidates.length === 0 || types.has('string')) candidates.push(text)
  return candidates
}

const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const MAX_NUMBER_CHARS = 64
