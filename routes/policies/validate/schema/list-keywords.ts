import { ValueSet } from './canonical.ts'
import type { Check } from './check.ts'
import { type Compiler, isBoolean, isList, read, readCount, type SchemaAt } from './compiler.ts'
import { SchemaFault } from './fault.ts'
import { below } from './resources.ts'
import { count } from './words.ts'

/** What schemas say of lists, `unevaluatedItems` apart. */
export function compileLists(at: SchemaAt, compiler: Compiler): Check[] {
  const min = readCount(at, 'minItems')
  const max = readCount(at, 'maxItems')
  const checks: (Check | undefined)[] = [
    min === undefined ? undefined : atLeast(min),
    max === undefined ? undefined : atMost(max),
    compileItems(at, compiler),
    read(at, 'uniqueItems', isBoolean, 'true or false') ? checkUnique : undefined,
    compileContains(at, compiler),
  ]
  return checks.flatMap(check => check ?? [])
}

/** `unevaluatedItems`, to be asked after all other keywords. */
export function compileUnevaluatedItems(at: SchemaAt, compiler: Compiler): Check | undefined {
  if (!Object.hasOwn(at.schema, 'unevaluatedItems')) return undefined
  const check = compiler.forPart(below(at, 'unevaluatedItems'))
  return (value, run) => {
    const { evaluated } = run
    if (!isList(value) || !evaluated) return true
    let isValid = true
    for (let i = evaluated.items; i < value.length; i++) {
      run.step()
      if (evaluated.moreItems.has(i) || run.within(i, value[i], check)) continue
      isValid = false
      if (!run.errors) return false
    }
    evaluated.items = value.length
    return isValid
  }
}

function atLeast(min: number): Check {
  return (value, run) => {
    if (!isList(value) || value.length >= min) return true
    return run.fail(`must have at least ${count(min, 'entry', 'entries')}, has ${value.length}`)
  }
}

function atMost(max: number): Check {
  return (value, run) => {
    if (!isList(value) || value.length <= max) return true
    return run.fail(`must have at most ${count(max, 'entry', 'entries')}, has ${value.length}`)
  }
}

/** The first entries by schemas of their own, the others by one. */
function compileItems(at: SchemaAt, compiler: Compiler): Check | undefined {
  const { hasListItems } = compiler.dialect
  if (!hasListItems && isList(at.schema.items)) {
    const way = 'In 2020-12 the list of schemas is "prefixItems"; "draft" can name an older version.'
    throw new SchemaFault(below(at, 'items').pointer, `"items" must be a schema. ${way}`)
  }
  const [firstKeyword, restKeyword] =
    hasListItems && isList(at.schema.items) ? ['items', 'additionalItems'] : ['prefixItems', 'items']
  const first = (read(at, firstKeyword, isList, 'a list of schemas') ?? []).map((_, i) =>
    compiler.forPart(below(at, firstKeyword, i)),
  )
  const rest = Object.hasOwn(at.schema, restKeyword) ? compiler.forPart(below(at, restKeyword)) : undefined
  if (first.length === 0 && !rest) return undefined
  return (value, run) => {
    if (!isList(value)) return true
    const { length } = value
    const checked = rest ? length : Math.min(length, first.length)
    let isValid = true
    for (let i = 0; i < checked; i++) {
      const check = first[i] ?? rest
      if (!check || run.within(i, value[i], check)) continue
      isValid = false
      if (!run.errors) return false
    }
    if (run.evaluated) run.evaluated.items = Math.max(run.evaluated.items, checked)
    return isValid
  }
}

const checkUnique: Check = (value, run) => {
  if (!isList(value)) return true
  const seen = new ValueSet()
  for (let i = 0; i < value.length; i++) {
    run.step()
    if (!seen.add(value[i], run)) return run.fail('is in the list already', { key: i })
  }
  return true
}

function compileContains(at: SchemaAt, compiler: Compiler): Check | undefined {
  if (!Object.hasOwn(at.schema, 'contains')) return undefined
  const check = compiler.forPart(below(at, 'contains'))
  const min = readCount(at, 'minContains') ?? 1
  const max = readCount(at, 'maxContains') ?? Number.POSITIVE_INFINITY
  const { containsEvaluates } = compiler.dialect
  const isFit: Check = (item, run) => run.attempt(check, item)
  return (value, run) => {
    if (!isList(value)) return true
    let found = 0
    for (let i = 0; i < value.length; i++) {
      run.step()
      if (!run.within(i, value[i], isFit)) continue
      found++
      if (containsEvaluates) run.evaluated?.moreItems.add(i)
    }
    if (found < min) {
      return run.fail(
        `must have at least ${count(min, 'entry', 'entries')} of the kind that is needed, has ${found}`,
      )
    }
    if (found <= max) return true
    return run.fail(`must have at most ${count(max, 'entry', 'entries')} of a certain kind, has ${found}`)
  }
}
