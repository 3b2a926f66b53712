import { isTable } from '../schema/compiler.ts'
import { SchemaFault } from '../schema/fault.ts'
import { below } from '../schema/resources.ts'
import type { OpenApiDocument, Part } from './document.ts'
import { Parameter } from './parameters.ts'
import { PathTable } from './path-table.ts'
import { RequestBody } from './request-body.ts'

/** What a document says of a method on a path. */
export interface Operation {
  /** `GET /orders/{id}`. */
  readonly name: string
  readonly parameters: readonly Parameter[]
  readonly body: RequestBody | undefined
}

/** The operations on a path by method, in upper case. */
export type Operations = ReadonlyMap<string, Operation>

/** Every operation of a document, by path. @throws SchemaFault */
export function readOperations(document: OpenApiDocument): PathTable<Operations> {
  const table = new PathTable<Operations>()
  const paths = document.part(document.root, 'paths')
  for (const template of Object.keys(paths?.schema ?? {})) {
    const item = document.part(paths, template)
    if (!paths || !item || template.startsWith('x-')) continue
    const { pointer } = below(paths, template)
    if (!template.startsWith('/')) throw new SchemaFault(pointer, 'A path must begin with "/".')
    const operations = readItem(template, item, document)
    const names = table.add(template, operations)
    if (!names)
      throw new SchemaFault(pointer, `Another path of the document leads to the same as "${template}".`)
    refuseUnknown(names, operations, pointer)
  }
  return table
}

/** The paths of the servers that a document names, without a slash at the end; `['']` if it names none. */
export function readServerPaths(document: OpenApiDocument): string[] {
  const paths = document.list(document.root, 'servers').map(server => {
    const { url, variables } = server.schema
    const text = String(url ?? '/').replace(/\{([^{}]*)\}/g, (_, name: string) => defaultOf(variables, name))
    try {
      return new URL(text, 'https://server.invalid').pathname.replace(/\/+$/, '')
    } catch {
      throw new SchemaFault(server.pointer, `"${text}" is not a URL.`)
    }
  })
  return paths.length === 0 ? [''] : [...new Set(paths)]
}

function defaultOf(variables: unknown, name: string): string {
  const variable = isTable(variables) ? variables[name] : undefined
  return isTable(variable) ? String(variable.default ?? '') : ''
}

function readItem(template: string, item: Part, document: OpenApiDocument): Operations {
  const shared = document.list(item, 'parameters').map(at => new Parameter(at, document))
  const operations = new Map<string, Operation>()
  for (const method of METHODS) {
    const at = document.part(item, method)
    if (!at) continue
    const own = document.list(at, 'parameters').map(parameter => new Parameter(parameter, document))
    const parameters = [...shared.filter(each => !own.some(other => isSame(each, other))), ...own]
    const body = document.part(at, 'requestBody')
    operations.set(method.toUpperCase(), {
      name: `${method.toUpperCase()} ${template}`,
      parameters: parameters.filter(parameter => !isIgnored(parameter)),
      body: body && new RequestBody(body, document),
    })
  }
  return operations
}

const isSame = (a: Parameter, b: Parameter): boolean => a.name === b.name && a.part === b.part

/** OpenAPI has other places for these. */
function isIgnored({ part, name }: Parameter): boolean {
  return part === 'header' && ['accept', 'content-type', 'authorization'].includes(name.toLowerCase())
}

/** A parameter that the path doesn't have would always be missing. */
function refuseUnknown(names: readonly string[], operations: Operations, pointer: string): void {
  for (const { parameters } of operations.values()) {
    const unknown = parameters.find(({ part, name }) => part === 'path' && !names.includes(name))
    if (unknown)
      throw new SchemaFault(pointer, `The path has no "{${unknown.name}}", which is a parameter of it.`)
  }
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace', 'query'] as const
