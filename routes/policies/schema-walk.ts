import type { GenericSchema } from 'valibot'

/** A schema of which any of several may hold. */
export interface Union {
  readonly type: 'union' | 'variant'
  readonly options: readonly GenericSchema[]
}

/** Whether a schema is one. */
export function isUnion(schema: GenericSchema): schema is GenericSchema & Union {
  return schema.type === 'union' || schema.type === 'variant'
}

/** What a schema has for the value at a path below it, looked through options' wrappers; several below a union. */
export function schemasAt(schema: GenericSchema, path: readonly (string | number)[]): GenericSchema[] {
  let found = unwrap(schema)
  for (const key of path) found = found.flatMap(each => below(each, key)).flatMap(unwrap)
  return found
}

/** The keys that may stand in the object at a path; empty if it may have any. */
export function entriesAt(schema: GenericSchema, path: readonly (string | number)[]): Set<string> {
  const objects = schemasAt(schema, path).flatMap(each =>
    isUnion(each) ? each.options.flatMap(unwrap) : each,
  )
  return new Set(objects.flatMap(each => Object.keys((each as Walkable).entries ?? {})))
}

/** The parts of valibot's schemas that lead further down. */
interface Walkable {
  readonly type: string
  readonly wrapped?: GenericSchema
  readonly getter?: (input: unknown) => GenericSchema
  readonly options?: readonly GenericSchema[]
  readonly entries?: Readonly<Record<string, GenericSchema>>
  readonly item?: GenericSchema
  readonly items?: readonly GenericSchema[]
  readonly value?: GenericSchema
  readonly rest?: GenericSchema
}

function unwrap(schema: GenericSchema): GenericSchema[] {
  const { type, wrapped, getter, options } = schema as unknown as Walkable
  if (wrapped) return unwrap(wrapped)
  if (type === 'lazy' && getter) return unwrap(getter(undefined))
  if (type === 'intersect' && options) return options.flatMap(unwrap)
  return [schema]
}

function below(schema: GenericSchema, key: string | number): GenericSchema[] {
  const { type, options, entries, item, items, value, rest } = schema as unknown as Walkable
  if ((type === 'union' || type === 'variant') && options) {
    return options.flatMap(unwrap).flatMap(option => below(option, key))
  }
  const entry = entries && Object.hasOwn(entries, key) ? entries[key] : undefined
  const next = entry ?? item ?? items?.[Number(key)] ?? (type === 'record' ? value : undefined) ?? rest
  return next ? [next] : []
}
