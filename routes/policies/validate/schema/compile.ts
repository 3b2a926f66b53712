import { nearest } from '../../../../src/core/nearest.ts'
import { type Check, Evaluated, MAX_ERRORS, Run, TooComplex, type ValueError } from './check.ts'
import { compileCombinations } from './combining-keywords.ts'
import { type Compiler, isTable, type SchemaAt } from './compiler.ts'
import type { Dialect } from './dialect.ts'
import { SchemaFault } from './fault.ts'
import { KEYWORDS } from './keywords.ts'
import { compileLists, compileUnevaluatedItems } from './list-keywords.ts'
import { compileObjects, compileUnevaluatedProperties } from './object-keywords.ts'
import { compileReferences, entering } from './reference-keywords.ts'
import { below, type Located, Resources } from './resources.ts'
import { compileNumbers, compileTexts, compileType, compileValues } from './scalar-keywords.ts'

/** A schema, ready to look at values. */
export class Schema {
  readonly #check: Check

  constructor(check: Check) {
    this.#check = check
  }

  isValid(value: unknown, steps = MIN_STEPS): boolean {
    return this.#check(value, new Run(steps))
  }

  /**
   * All that is wrong with a value, at most MAX_ERRORS; empty if nothing is.
   *
   * @param steps so many parts of schemas may be applied to it
   * @throws TooComplex if that isn't enough to tell
   */
  errorsOf(value: unknown, steps = MIN_STEPS): readonly ValueError[] {
    if (tooDeep(() => this.isValid(value, steps))) return []
    const errors: ValueError[] = []
    try {
      // That something is wrong is known; what, is told as far as the steps go.
      tooDeep(() => this.#check(value, new Run(steps, errors)))
    } catch (error) {
      if (!(error instanceof TooComplex)) throw error
    }
    return errors.length > 0 ? errors.slice(0, MAX_ERRORS) : [{ path: [], detail: 'is not as it must be' }]
  }
}

/** How many parts of schemas may be applied to a value whose text has so many bytes: enough for all but the odd schema. */
export function stepsFor(bytes: number): number {
  return MIN_STEPS + STEPS_PER_BYTE * bytes
}

/** Compiles the schemas of a document, each once; those that refer to each other, too. */
export class SchemaCompiler implements Compiler {
  readonly dialect: Dialect
  readonly resources: Resources
  readonly checksFormats: boolean
  readonly #compiled = new Map<object, Compiled>()
  /** Schemas that lead into no circle. */
  readonly #sound = new Set<Compiled>()
  /** The schema whose keywords are compiled. */
  #current: Compiled | undefined

  /** @param document the schema itself, or what holds schemas and is referred to by them */
  constructor(document: unknown, dialect: Dialect, checksFormats: boolean) {
    this.dialect = dialect
    this.resources = new Resources(document, dialect)
    this.checksFormats = checksFormats
  }

  /** The whole document, as a place in itself. */
  get root(): Located {
    const { document } = this.resources
    return { schema: document.root, resource: document, pointer: '' }
  }

  /** The schema at a place. @throws SchemaFault */
  compile(at: Located): Schema {
    this.resources.add(at)
    const check = this.forPart(at)
    refuseCircles(this.#compiled.values(), this.#sound)
    return new Schema(this.resources.hasDynamicReferences ? entering(this.resources.document, check) : check)
  }

  forPart(at: Located): Check {
    return this.#compile(at).check
  }

  forSame(at: Located): Check {
    const compiled = this.#compile(at)
    this.#current?.same.push(compiled)
    return compiled.check
  }

  #compile(at: Located): Compiled {
    const { schema } = at
    if (schema === true) return ANYTHING
    if (schema === false) return NOTHING
    if (!isTable(schema)) throw new SchemaFault(at.pointer, 'A schema must be a table, true or false.')
    const known = this.#compiled.get(schema)
    if (known) return known
    // References to schemas that aren't in the places for schemas lead here too.
    this.resources.add(at)
    let made: Check | undefined
    const check: Check = (value, run) => (made as Check)(value, run)
    const compiled: Compiled = { check, same: [], pointer: at.pointer }
    this.#compiled.set(schema, compiled)
    const outer = this.#current
    this.#current = compiled
    made = this.#combine({ ...at, schema, resource: this.resources.ownerOf(at) })
    compiled.check = made
    this.#current = outer
    return compiled
  }

  #combine(at: SchemaAt): Check {
    refuseMisspelt(at)
    const { dialect, resources } = this
    const standsAlone = dialect.refStandsAlone && Object.hasOwn(at.schema, '$ref')
    if (standsAlone) return inOrder(undefined, compileReferences(at, this))
    const checks = [
      ...compileValues(at),
      ...compileTexts(at, this),
      ...compileNumbers(at, this),
      ...compileLists(at, this),
      ...compileObjects(at, this),
      ...compileReferences(at, this),
      ...compileCombinations(at, this),
    ]
    const last = [compileUnevaluatedItems(at, this), compileUnevaluatedProperties(at, this)]
    const unevaluated = last.flatMap(check => check ?? [])
    const all = inOrder(compileType(at, this), checks, unevaluated)
    const check = unevaluated.length > 0 ? tracking(all) : all
    const isRoot = at.resource.root === at.schema
    return resources.hasDynamicReferences && isRoot ? entering(at.resource, check) : check
  }
}

interface Compiled {
  check: Check
  /** Schemas that it applies to the same value. */
  readonly same: Compiled[]
  readonly pointer: string
}

const ANYTHING: Compiled = { check: () => true, same: [], pointer: '' }
const NOTHING: Compiled = { check: (_, run) => run.fail('is not allowed here'), same: [], pointer: '' }

/** @param last for values with which nothing else is wrong */
function inOrder(type: Check | undefined, checks: readonly Check[], last: readonly Check[] = []): Check {
  return (value, run) => {
    run.step()
    if (type && !type(value, run)) return false
    let isValid = true
    for (const check of checks) {
      if (check(value, run)) continue
      if (!run.errors) return false
      isValid = false
    }
    if (!isValid) return false
    for (const check of last) if (!check(value, run)) isValid = false
    return isValid
  }
}

/** Keeps account of what is evaluated, for the schema's own keywords and for those around it. */
function tracking(check: Check): Check {
  return (value, run) => {
    const outer = run.evaluated
    const own = new Evaluated()
    run.evaluated = own
    const isValid = check(value, run)
    run.evaluated = outer
    if (isValid) outer?.merge(own)
    return isValid
  }
}

/** A keyword that isn't one, but nearly: it would be ignored, and let through what it was to keep out. */
function refuseMisspelt(at: SchemaAt): void {
  for (const keyword of Object.keys(at.schema)) {
    if (KEYWORDS.has(keyword) || keyword.startsWith('x-')) continue
    const meant = nearest(keyword, KEYWORDS)
    if (meant === undefined) continue
    const way = `did you mean "${meant}"? Names of your own begin with "x-".`
    throw new SchemaFault(below(at, keyword).pointer, `"${keyword}" is no keyword; ${way}`)
  }
}

/** A schema that applies itself to the same value never comes to an end. */
function refuseCircles(all: Iterable<Compiled>, sound: Set<Compiled>): void {
  const way = new Set<Compiled>()
  const visit = (compiled: Compiled): void => {
    if (way.has(compiled)) {
      throw new SchemaFault(compiled.pointer, 'References lead from this schema back to itself, in a circle.')
    }
    if (sound.has(compiled)) return
    way.add(compiled)
    for (const next of compiled.same) visit(next)
    way.delete(compiled)
    sound.add(compiled)
  }
  for (const compiled of all) visit(compiled)
}

/** Values and schemas that together nest deeper than the stack are too complex. */
function tooDeep<T>(look: () => T): T {
  try {
    return look()
  } catch (error) {
    if (error instanceof RangeError) throw new TooComplex()
    throw error
  }
}

const MIN_STEPS = 100_000
const STEPS_PER_BYTE = 10
