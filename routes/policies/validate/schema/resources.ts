import type { Dialect } from './dialect.ts'
import { SchemaFault } from './fault.ts'
import { keysOfFragment, pointerTo } from './pointer.ts'

/** A schema with a name of its own, to which references are relative; the whole document is one. */
export interface Resource {
  readonly uri: string
  readonly root: unknown
  /** Where its root is in the document. */
  readonly pointer: string
  readonly anchors: Map<string, object>
  readonly dynamicAnchors: Map<string, object>
}

/** A schema, and where it stands. */
export interface Located {
  readonly schema: unknown
  readonly resource: Resource
  /** From the top of the document. */
  readonly pointer: string
}

/** The names in a document of schemas, and what references lead to. Nothing is ever fetched. */
export class Resources {
  readonly document: Resource
  /** Whether references may depend on the way that led to them. */
  hasDynamicReferences = false
  readonly #dialect: Dialect
  readonly #byUri = new Map<string, Resource>()
  readonly #owners = new Map<object, Resource>()
  readonly #pointers = new Map<object, string>()

  /** @param document a schema, or a document with schemas in it, which are then told by `add` */
  constructor(document: unknown, dialect: Dialect) {
    this.#dialect = dialect
    this.document = this.#addResource(BASE, document, '')
  }

  /** Every resource that is known. */
  all(): Iterable<Resource> {
    return new Set(this.#byUri.values())
  }

  /** Takes in the names of a schema and of all below it. */
  add(located: Located): void {
    this.#index(located.schema, located.resource, located.pointer)
  }

  /** The resource that a schema belongs to. */
  ownerOf({ schema, resource }: Located): Resource {
    return (isObject(schema) && this.#owners.get(schema)) || resource
  }

  /** A schema that is known, by itself. */
  locate(schema: object): Located {
    const resource = this.#owners.get(schema) ?? this.document
    return { schema, resource, pointer: this.#pointers.get(schema) ?? '' }
  }

  /** What a reference leads to. @throws SchemaFault if that isn't in the document */
  resolve(reference: string, from: Located): Located {
    const owner = this.ownerOf(from)
    const hash = reference.indexOf('#')
    const name = hash < 0 ? reference : reference.slice(0, hash)
    const fragment = hash < 0 ? '' : reference.slice(hash + 1)
    const resource = name === '' ? owner : this.#byUri.get(absolute(name, owner.uri))
    const found = resource && this.#find(resource, fragment)
    if (found) return found
    const problem = resource
      ? 'leads nowhere in this document'
      : 'leads out of the document: nothing is fetched, so what it refers to must be put in'
    throw new SchemaFault(from.pointer, `The reference "${reference}" ${problem}.`)
  }

  #find(resource: Resource, fragment: string): Located | undefined {
    const keys = keysOfFragment(fragment)
    if (!keys) {
      const schema = resource.anchors.get(fragment)
      return schema && this.locate(schema)
    }
    let schema = resource.root
    let owner = resource
    for (const key of keys) {
      if (!isObject(schema) || !Object.hasOwn(schema, key)) return undefined
      schema = (schema as Record<string, unknown>)[key]
      if (isObject(schema)) owner = this.#owners.get(schema) ?? owner
    }
    return { schema, resource: owner, pointer: resource.pointer + pointerTo(...keys) }
  }

  #index(schema: unknown, resource: Resource, pointer: string): void {
    if (!isObject(schema) || this.#owners.has(schema)) return
    const keywords = schema as Record<string, unknown>
    const owner = this.#name(keywords, resource, pointer)
    this.#owners.set(schema, owner)
    this.#pointers.set(schema, pointer)
    for (const [key, value] of Object.entries(keywords)) {
      if (IN_MAPS.has(key) && isObject(value) && !Array.isArray(value)) {
        for (const [name, part] of Object.entries(value))
          this.#index(part, owner, pointer + pointerTo(key, name))
      } else if (IN_LISTS.has(key) && Array.isArray(value)) {
        for (const [i, part] of value.entries()) this.#index(part, owner, pointer + pointerTo(key, i))
      } else if (ALONE.has(key)) this.#index(value, owner, pointer + pointerTo(key))
    }
  }

  /** The resource that a schema belongs to or begins, with its names taken in. */
  #name(schema: Record<string, unknown>, resource: Resource, pointer: string): Resource {
    const { $ref, $anchor, $dynamicAnchor, $dynamicRef, $recursiveRef } = schema
    if ($ref !== undefined && this.#dialect.refStandsAlone) return resource
    const id = schema[this.#dialect.id]
    let owner = resource
    if (typeof id === 'string' && id.startsWith('#')) owner.anchors.set(id.slice(1), schema)
    else if (typeof id === 'string') {
      const uri = absolute(id.replace(/#$/, ''), resource.uri)
      if (schema === resource.root) this.#byUri.set(uri, Object.assign(resource, { uri }))
      else owner = this.#addResource(uri, schema, pointer)
    }
    if (typeof $anchor === 'string') owner.anchors.set($anchor, schema)
    if (typeof $dynamicAnchor === 'string') {
      owner.anchors.set($dynamicAnchor, schema)
      owner.dynamicAnchors.set($dynamicAnchor, schema)
    }
    if ($dynamicRef !== undefined || $recursiveRef !== undefined) this.hasDynamicReferences = true
    return owner
  }

  #addResource(uri: string, root: unknown, pointer: string): Resource {
    const resource = { uri, root, pointer, anchors: new Map(), dynamicAnchors: new Map() }
    if (this.#byUri.has(uri)) throw new SchemaFault(pointer, `There is another schema with the id "${uri}".`)
    this.#byUri.set(uri, resource)
    return resource
  }
}

/** A part of a schema. */
export function below(at: Located, ...keys: readonly (string | number)[]): Located {
  let schema = at.schema
  for (const key of keys) schema = (schema as Record<string | number, unknown>)[key]
  return { schema, resource: at.resource, pointer: at.pointer + pointerTo(...keys) }
}

function absolute(reference: string, base: string): string {
  try {
    return new URL(reference, base).href
  } catch {
    return reference
  }
}

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null

/** What a document without a name is called; names in it are relative to this. Nobody is asked for it. */
const BASE = 'https://document.invalid/'
const IN_MAPS: ReadonlySet<string> = new Set([
  '$defs',
  'definitions',
  'dependencies',
  'dependentSchemas',
  'patternProperties',
  'properties',
])
const IN_LISTS: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'items', 'oneOf', 'prefixItems'])
const ALONE: ReadonlySet<string> = new Set([
  'additionalItems',
  'additionalProperties',
  'contains',
  'else',
  'if',
  'items',
  'not',
  'propertyNames',
  'then',
  'unevaluatedItems',
  'unevaluatedProperties',
])
