import type { Check, Run } from './check.ts'
import { type Compiler, isTable, isText, read, type SchemaAt } from './compiler.ts'
import type { Located, Resource } from './resources.ts'

/** `$ref`, `$dynamicRef` and `$recursiveRef`. */
export function compileReferences(at: SchemaAt, compiler: Compiler): Check[] {
  const ref = read(at, '$ref', isText, 'a text')
  const dynamic = read(at, '$dynamicRef', isText, 'a text')
  const recursive = read(at, '$recursiveRef', isText, 'a text')
  const checks: Check[] = []
  if (ref !== undefined) checks.push(compileStatic(compiler.resources.resolve(ref, at), at, compiler))
  if (dynamic !== undefined) checks.push(compileDynamic(dynamic, at, compiler))
  if (recursive !== undefined) checks.push(compileRecursive(recursive, at, compiler))
  return checks
}

function compileStatic(target: Located, from: Located, compiler: Compiler): Check {
  const check = compiler.forSame(target)
  const resource = compiler.resources.ownerOf(target)
  const isElsewhere = resource !== compiler.resources.ownerOf(from)
  return compiler.resources.hasDynamicReferences && isElsewhere ? entering(resource, check) : check
}

/** The check, with its resource on the way that dynamic references go by. */
export function entering(resource: Resource, check: Check): Check {
  return (value, run) => {
    run.scope.push(resource)
    const isValid = check(value, run)
    run.scope.pop()
    return isValid
  }
}

/** The outermost resource on the way that has an anchor of the name says what is meant. */
function compileDynamic(reference: string, at: Located, compiler: Compiler): Check {
  const { resources } = compiler
  const target = resources.resolve(reference, at)
  const initial = compileStatic(target, at, compiler)
  const name = reference.slice(reference.indexOf('#') + 1)
  if (resources.ownerOf(target).dynamicAnchors.get(name) !== target.schema) return initial
  const byResource = new Map<Resource, Check>()
  for (const resource of resources.all()) {
    const schema = resource.dynamicAnchors.get(name)
    if (schema) byResource.set(resource, entering(resource, compiler.forPart(resources.locate(schema))))
  }
  return (value, run) => outermost(run, byResource, initial)(value, run)
}

/** The same of 2019-09, whose only anchor is the root. */
function compileRecursive(reference: string, at: Located, compiler: Compiler): Check {
  const { resources } = compiler
  const target = resources.resolve(reference, at)
  const initial = compileStatic(target, at, compiler)
  if (!isRecursive(target.schema)) return initial
  const byResource = new Map<Resource, Check>()
  for (const resource of resources.all()) {
    const { root, pointer } = resource
    if (!isRecursive(root)) continue
    byResource.set(resource, entering(resource, compiler.forPart({ schema: root, resource, pointer })))
  }
  return (value, run) => outermost(run, byResource, initial)(value, run)
}

const isRecursive = (schema: unknown): boolean => isTable(schema) && schema.$recursiveAnchor === true

function outermost(run: Run, byResource: ReadonlyMap<Resource, Check>, initial: Check): Check {
  for (const resource of run.scope) {
    const check = byResource.get(resource)
    if (check) return check
  }
  return initial
}
