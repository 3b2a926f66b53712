import { SchemaCompiler } from '../schema/compile.ts'
import { isTable } from '../schema/compiler.ts'
import { OPENAPI_DIALECTS } from '../schema/dialect.ts'
import { SchemaFault } from '../schema/fault.ts'
import { below, type Located } from '../schema/resources.ts'

/** A table in a document, and where it is. */
export interface Part extends Located {
  readonly schema: Readonly<Record<string, unknown>>
}

/** An OpenAPI document, of which parts are read. */
export class OpenApiDocument {
  readonly compiler: SchemaCompiler
  readonly root: Part

  /** @throws SchemaFault if it is none, or of a version that isn't read */
  constructor(document: unknown, checksFormats: boolean) {
    if (!isTable(document)) throw new SchemaFault('', 'It must be an OpenAPI document.')
    this.compiler = new SchemaCompiler(document, OPENAPI_DIALECTS[versionOf(document)], checksFormats)
    this.root = { ...this.compiler.root, schema: document }
    const schemas = this.part(this.part(this.root, 'components'), 'schemas')
    for (const name of Object.keys(schemas?.schema ?? {})) {
      if (schemas) this.compiler.resources.add(below(schemas, name))
    }
  }

  /** A table below another one, looked up if it is a reference. @throws SchemaFault if it is no table */
  part(of: Part | undefined, ...keys: readonly (string | number)[]): Part | undefined {
    let at: Located | undefined = of
    for (const key of keys) {
      if (!at || !isContainer(at.schema) || !Object.hasOwn(at.schema, key)) return undefined
      at = this.follow(below(at, key))
    }
    return at && asPart(at)
  }

  /** What a reference leads to, in the end; what isn't one is itself. */
  follow(at: Located): Located {
    let found = at
    for (let hops = 0; isTable(found.schema) && typeof found.schema.$ref === 'string'; hops++) {
      if (hops > MAX_HOPS) throw new SchemaFault(at.pointer, 'References lead in a circle.')
      found = this.compiler.resources.resolve(found.schema.$ref, found)
    }
    return found
  }

  /** The tables of a list, references followed. */
  list(of: Part, key: string): Part[] {
    const list = of.schema[key]
    if (list === undefined) return []
    if (!Array.isArray(list)) throw new SchemaFault(below(of, key).pointer, `"${key}" must be a list.`)
    return list.map((_, i) => asPart(this.follow(below(of, key, i))))
  }
}

function asPart(at: Located): Part {
  if (!isTable(at.schema)) throw new SchemaFault(at.pointer, 'It must be a table.')
  return { ...at, schema: at.schema }
}

const isContainer = (value: unknown): value is object => typeof value === 'object' && value !== null

function versionOf({ openapi, swagger }: Readonly<Record<string, unknown>>): '3.0' | '3.1' {
  const [, minor] = /^3\.([012])\.\d+/.exec(String(openapi)) ?? []
  if (minor !== undefined) return minor === '0' ? '3.0' : '3.1'
  const found = swagger === undefined ? `openapi = ${JSON.stringify(openapi)}` : `Swagger ${String(swagger)}`
  throw new SchemaFault('', `It must be an OpenAPI document of version 3.0 or 3.1, not ${found}.`)
}

const MAX_HOPS = 32
