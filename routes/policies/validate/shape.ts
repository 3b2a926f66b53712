import { isList, isTable, isTextList } from './schema/compiler.ts'
import { below, type Located, type Resources } from './schema/resources.ts'

/** What a schema says of the types of values: what texts are read by, in query, path, headers and forms. */
export interface Shape {
  /** Types that are mentioned; none: anything. */
  readonly types: ReadonlySet<string>
  /** Of a list's entries. */
  readonly items: Located | undefined
  readonly properties: ReadonlyMap<string, Located>
  /** Members that must be there. */
  readonly required: ReadonlySet<string>
  /** Of an object's other members. */
  readonly rest: Located | undefined
}

/** Looks through references and combinations. */
export function shapeOf(at: Located, resources: Resources): Shape {
  const shape: Found = {
    types: new Set(),
    properties: new Map(),
    required: new Set(),
    items: undefined,
    rest: undefined,
  }
  look(at, resources, shape, new Set())
  return shape
}

type Found = {
  types: Set<string>
  properties: Map<string, Located>
  required: Set<string>
  items: Located | undefined
  rest: Located | undefined
}

function look(at: Located, resources: Resources, found: Found, seen: Set<unknown>): void {
  const { schema } = at
  if (!isTable(schema) || seen.has(schema)) return
  seen.add(schema)
  const { type, $ref, items, properties, required, additionalProperties, nullable } = schema
  const types = isList(type) ? type : [type ?? typesOfValues(schema)]
  for (const name of types.flat()) if (typeof name === 'string') found.types.add(name)
  if (nullable === true) found.types.add('null')
  if (isTable(items)) {
    found.items ??= below(at, 'items')
    if (type === undefined) found.types.add('array')
  }
  if (isTable(properties)) {
    for (const name of Object.keys(properties)) {
      if (!found.properties.has(name)) found.properties.set(name, below(at, 'properties', name))
    }
    if (type === undefined) found.types.add('object')
  }
  if (isTextList(required)) for (const name of required) found.required.add(name)
  if (isTable(additionalProperties)) found.rest ??= below(at, 'additionalProperties')
  if (typeof $ref === 'string') look(resources.resolve($ref, at), resources, found, seen)
  for (const keyword of ['allOf', 'anyOf', 'oneOf']) {
    const parts = schema[keyword]
    if (isList(parts)) parts.forEach((_, i) => void look(below(at, keyword, i), resources, found, seen))
  }
}

function typesOfValues({ enum: values, const: value }: Readonly<Record<string, unknown>>): string[] {
  const list = isList(values) ? values : value === undefined ? [] : [value]
  return list.map(each => (each === null ? 'null' : typeof each)).filter(type => type !== 'object')
}
