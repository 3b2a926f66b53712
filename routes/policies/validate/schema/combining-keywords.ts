import type { Check, Run, ValueError } from './check.ts'
import { type Compiler, isList, read, type SchemaAt } from './compiler.ts'
import { below } from './resources.ts'
import { either } from './words.ts'

/** What puts schemas together: `allOf`, `anyOf`, `oneOf`, `not`, `if`. */
export function compileCombinations(at: SchemaAt, compiler: Compiler): Check[] {
  const list = (keyword: string): Check[] | undefined =>
    read(at, keyword, isList, 'a list of schemas')?.map((_, i) => compiler.forSame(below(at, keyword, i)))
  const anyOf = list('anyOf')
  const oneOf = list('oneOf')
  const checks = [
    ...(list('allOf') ?? []),
    anyOf && checkAny(anyOf),
    oneOf && checkOne(oneOf),
    Object.hasOwn(at.schema, 'not') ? checkNot(compiler.forSame(below(at, 'not'))) : undefined,
    compileCondition(at, compiler),
  ]
  return checks.flatMap(check => check ?? [])
}

function checkAny(checks: readonly Check[]): Check {
  return (value, run) => {
    let isValid = false
    for (const check of checks) {
      if (!run.attempt(check, value)) continue
      if (!run.evaluated) return true
      isValid = true
    }
    return isValid || explain(checks, value, run)
  }
}

function checkOne(checks: readonly Check[]): Check {
  return (value, run) => {
    let fitting = 0
    for (const check of checks) if (run.attempt(check, value)) fitting++
    if (fitting === 1) return true
    if (fitting === 0) return explain(checks, value, run)
    return run.fail(`fits ${fitting} of the forms of which it must fit exactly one`)
  }
}

function checkNot(check: Check): Check {
  return (value, run) => {
    const { evaluated } = run
    // What an excluded form has looked at counts for nothing.
    run.evaluated = undefined
    const isExcluded = run.attempt(check, value)
    run.evaluated = evaluated
    return !isExcluded || run.fail('is of a form that is excluded here')
  }
}

function compileCondition(at: SchemaAt, compiler: Compiler): Check | undefined {
  if (!Object.hasOwn(at.schema, 'if')) return undefined
  const part = (keyword: string) =>
    Object.hasOwn(at.schema, keyword) ? compiler.forSame(below(at, keyword)) : undefined
  const condition = compiler.forSame(below(at, 'if'))
  const [then, otherwise] = [part('then'), part('else')]
  return (value, run) => {
    const next = run.attempt(condition, value) ? then : otherwise
    return next === undefined || next(value, run)
  }
}

/** Says why none of several forms fits: what is wrong with the one that was probably meant. Always `false`. */
function explain(checks: readonly Check[], value: unknown, run: Run): false {
  if (!run.errors) return false
  const attempts = checks.map(check => run.collect(check, value))
  const common = commonError(attempts)
  if (common) {
    const [found = ''] = common.kind === 'type' ? (/, is .*$/.exec(common.detail) ?? []) : []
    run.errors.push({ ...common, detail: `must be ${either(common.wanted ?? [])}${found}` })
    return false
  }
  const depth = run.path.length
  const [nearest] = attempts
    .map(errors => ({ errors, distance: errors.reduce((sum, error) => sum + distanceOf(error, depth), 0) }))
    .sort((a, b) => a.distance - b.distance)
  for (const error of nearest?.errors ?? []) run.errors.push(error)
  return false
}

/** The error that all forms have: another type or value than they want, of the value or of the same member. */
function commonError(attempts: readonly (readonly ValueError[])[]): ValueError | undefined {
  for (const error of attempts[0] ?? []) {
    if (error.kind === undefined) continue
    const place = error.path.join('/')
    const same = attempts.flatMap(
      errors => errors.find(({ kind, path }) => kind === error.kind && path.join('/') === place) ?? [],
    )
    if (same.length === attempts.length) {
      return { ...error, wanted: same.flatMap(({ wanted }) => wanted ?? []) }
    }
  }
  return undefined
}

/** A value of another type, or with another constant in a member, was hardly meant to be of this form. */
function distanceOf({ kind, path }: ValueError, depth: number): number {
  if (kind === 'type' && path.length === depth) return 1_000_000
  if (kind === 'value' && path.length <= depth + 1) return 1000
  return 1
}
