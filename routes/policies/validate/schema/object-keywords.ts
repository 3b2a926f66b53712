import { nearest } from '../../../../src/core/nearest.ts'
import type { Check, Run } from './check.ts'
import {
  type Compiler,
  compilePattern,
  isTable,
  isTextList,
  read,
  readCount,
  type SchemaAt,
} from './compiler.ts'
import { below, type Located } from './resources.ts'
import { count } from './words.ts'

/** What schemas say of objects, `unevaluatedProperties` apart. */
export function compileObjects(at: SchemaAt, compiler: Compiler): Check[] {
  const checks = [
    compileRequired(at, compiler),
    compileCount(at, 'minProperties', (have, wanted) => have >= wanted, 'at least'),
    compileCount(at, 'maxProperties', (have, wanted) => have <= wanted, 'at most'),
    compileNames(at, compiler),
    compileProperties(at, compiler),
    ...compileDependencies(at, compiler),
  ]
  return checks.flatMap(check => check ?? [])
}

/** `unevaluatedProperties`, to be asked after all other keywords. */
export function compileUnevaluatedProperties(at: SchemaAt, compiler: Compiler): Check | undefined {
  if (!Object.hasOwn(at.schema, 'unevaluatedProperties')) return undefined
  const check = toMemberCheck(below(at, 'unevaluatedProperties'), compiler, [])
  return (value, run) => {
    if (!isTable(value)) return true
    const { evaluated } = run
    if (!evaluated || evaluated.hasAllProperties) return true
    const rest = Object.keys(value).filter(name => !evaluated.properties.has(name))
    const isValid = everyMember(rest, value, run, check)
    evaluated.hasAllProperties = true
    return isValid
  }
}

function compileRequired(at: SchemaAt, compiler: Compiler): Check | undefined {
  const written = read(at, 'required', isTextList, 'a list of names')
  const names = written?.filter(name => !(compiler.dialect.isRequest && isReadOnly(at, name, compiler)))
  if (!names || names.length === 0) return undefined
  return (value, run) => {
    if (!isTable(value)) return true
    let isValid = true
    for (const name of names) {
      if (Object.hasOwn(value, name)) continue
      isValid = run.fail('is missing', { key: name })
      if (!run.errors) return false
    }
    return isValid
  }
}

/** Of what only the server writes, requests need have nothing. */
function isReadOnly(at: SchemaAt, name: string, { resources }: Compiler): boolean {
  const { properties } = at.schema
  if (!isTable(properties) || !Object.hasOwn(properties, name)) return false
  let property: Located = below(at, 'properties', name)
  for (let hops = 0; hops < MAX_HOPS && isTable(property.schema); hops++) {
    if (property.schema.readOnly === true) return true
    if (typeof property.schema.$ref !== 'string') return false
    property = resources.resolve(property.schema.$ref, property)
  }
  return false
}

function compileCount(
  at: SchemaAt,
  keyword: string,
  holds: (have: number, wanted: number) => boolean,
  bound: string,
): Check | undefined {
  const wanted = readCount(at, keyword)
  if (wanted === undefined) return undefined
  return (value, run) => {
    if (!isTable(value)) return true
    const have = Object.keys(value).length
    return holds(have, wanted) || run.fail(`must have ${bound} ${count(wanted, 'member')}, has ${have}`)
  }
}

function compileNames(at: SchemaAt, compiler: Compiler): Check | undefined {
  if (!Object.hasOwn(at.schema, 'propertyNames')) return undefined
  const check = compiler.forPart(below(at, 'propertyNames'))
  return (value, run) => {
    if (!isTable(value)) return true
    let isValid = true
    for (const name of Object.keys(value)) {
      run.step()
      if (run.attempt(check, name)) continue
      if (!run.errors) return false
      const [first] = run.collect(check, name)
      isValid = run.fail(`has a name that is not allowed: it ${first?.detail ?? 'is refused'}`, { key: name })
    }
    return isValid
  }
}

/** `properties`, `patternProperties` and `additionalProperties`, in one walk. */
function compileProperties(at: SchemaAt, compiler: Compiler): Check | undefined {
  const properties = read(at, 'properties', isTable, 'a table of schemas') ?? {}
  const byName = new Map(
    Object.keys(properties).map(name => [name, toMemberCheck(below(at, 'properties', name), compiler)]),
  )
  const patterns = Object.keys(read(at, 'patternProperties', isTable, 'a table of schemas') ?? {})
  const byPattern = patterns.map(pattern => {
    const place = below(at, 'patternProperties', pattern)
    return [compilePattern(pattern, place.pointer), toMemberCheck(place, compiler)] as const
  })
  const rest = Object.hasOwn(at.schema, 'additionalProperties')
    ? toMemberCheck(below(at, 'additionalProperties'), compiler, [...byName.keys()])
    : undefined
  if (byPattern.length === 0 && rest === undefined) {
    return byName.size > 0 ? checkNamed(byName) : undefined
  }
  return (value, run) => {
    if (!isTable(value)) return true
    let isValid = true
    for (const name of Object.keys(value)) {
      const named = byName.get(name)
      let isKnown = named !== undefined
      if (named && !checkMember(name, value, run, named)) isValid = false
      for (const [pattern, check] of byPattern) {
        run.step()
        if (!pattern.test(name)) continue
        isKnown = true
        if (!checkMember(name, value, run, check)) isValid = false
      }
      if (!isKnown && rest && !checkMember(name, value, run, rest)) isValid = false
      if (isKnown || rest) run.evaluated?.properties.add(name)
      if (!isValid && !run.errors) return false
    }
    return isValid
  }
}

function checkNamed(byName: ReadonlyMap<string, MemberCheck>): Check {
  const entries = [...byName]
  return (value, run) => {
    if (!isTable(value)) return true
    let isValid = true
    for (const [name, check] of entries) {
      if (!Object.hasOwn(value, name)) continue
      run.evaluated?.properties.add(name)
      if (checkMember(name, value, run, check)) continue
      isValid = false
      if (!run.errors) return false
    }
    return isValid
  }
}

function compileDependencies(at: SchemaAt, compiler: Compiler): Check[] {
  return ['dependentRequired', 'dependentSchemas', 'dependencies'].flatMap(keyword => {
    const table = read(at, keyword, isTable, 'a table')
    return Object.entries(table ?? {}).map(([name, wanted]) =>
      isTextList(wanted)
        ? requireBeside(name, wanted)
        : requireSchema(name, compiler.forSame(below(at, keyword, name))),
    )
  })
}

function requireBeside(name: string, wanted: readonly string[]): Check {
  return (value, run) => {
    if (!isTable(value) || !Object.hasOwn(value, name)) return true
    let isValid = true
    for (const key of wanted) {
      if (!Object.hasOwn(value, key)) isValid = run.fail(`is missing: it is needed beside "${name}"`, { key })
    }
    return isValid
  }
}

function requireSchema(name: string, check: Check): Check {
  return (value, run) => !isTable(value) || !Object.hasOwn(value, name) || check(value, run)
}

/** A member's check; `undefined` where none is allowed. */
type MemberCheck = { readonly check: Check } | { readonly refusal: string; readonly known: readonly string[] }

/** @param known names that may have been meant, where no other is allowed */
function toMemberCheck(at: Located, compiler: Compiler, known?: readonly string[]): MemberCheck {
  if (at.schema !== false) return { check: compiler.forPart(at) }
  return { refusal: known ? 'is not known here' : 'is not allowed here', known: known ?? [] }
}

function checkMember(
  name: string,
  value: Readonly<Record<string, unknown>>,
  run: Run,
  member: MemberCheck,
): boolean {
  if ('check' in member) return run.within(name, value[name], member.check)
  if (!run.errors) return false
  const meant = name.length <= MAX_MEANT_CHARS ? nearest(name, member.known) : undefined
  return run.fail(meant === undefined ? member.refusal : `${member.refusal}; did you mean "${meant}"?`, {
    key: name,
  })
}

function everyMember(
  names: readonly string[],
  value: Readonly<Record<string, unknown>>,
  run: Run,
  member: MemberCheck,
): boolean {
  let isValid = true
  for (const name of names) {
    run.step()
    if (checkMember(name, value, run, member)) continue
    isValid = false
    if (!run.errors) return false
  }
  return isValid
}

const MAX_HOPS = 32
const MAX_MEANT_CHARS = 64
