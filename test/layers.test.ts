import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { describe, expect, test } from 'vitest'

/**
 * The Worker's layers, highest first: a file may import from its own layer and from those below it, type-only
 * imports included. The first pattern that fits a file is its layer.
 */
const LAYERS: readonly (readonly [name: string, files: RegExp])[] = [
  ['worker', /^src\/worker\.ts$/],
  ['src', /^src\/[^/]+\.ts$/],
  ['routes', /^routes\//],
  ['runtime', /^runtime\//],
  ['bindings', /^bindings\//],
  ['registry', /^src\/(registry|observe)\//],
  ['core', /^src\/core\//],
]

/** Where the other roles are, and what is bound: known to every layer, and they import nothing but types and src/core. */
const SEAMS = new Set(['src/env.ts', 'src/roles.ts'])

/** What runs in Node: which of our own folders each may import. */
const NODE_SIDE: Readonly<Record<string, RegExp>> = {
  host: /^(host|src\/core)\//,
  cli: /^(cli|host|src\/core)\//,
}

interface Import {
  /** As written. */
  readonly specifier: string
  readonly isTypeOnly: boolean
  /** A file of ours, relative to the root; `undefined` for packages and built-in modules. */
  readonly path: string | undefined
}

/** Source texts by path, relative to the root. */
type Tree = ReadonlyMap<string, string>

describe('imports', () => {
  const tree = readTree(join(import.meta.dirname, '..'), [
    'src',
    'routes',
    'runtime',
    'bindings',
    'host',
    'cli',
  ])

  test('point downwards through the layers', () => {
    expect(tree.size).toBeGreaterThan(80)
    expect(findViolations(tree)).toEqual([])
  })

  test('form no cycle', () => {
    expect(findCycles(tree)).toEqual([])
  })
})

describe('the check of imports', () => {
  test.each([
    ['a layer above', 'src/core/ids.ts', "import { x } from '../registry/x.ts'", 'core imports registry'],
    [
      'a type of a layer above',
      'bindings/kv/a.ts',
      "import type { X } from '../../runtime/x.ts'",
      'bindings imports runtime',
    ],
    [
      'a re-export from a layer above',
      'runtime/a.ts',
      "export * from '../routes/x.ts'",
      'runtime imports routes',
    ],
    ['a side effect of a layer above', 'runtime/a.ts', "import '../src/gateway.ts'", 'runtime imports src'],
    [
      'a dynamic import of a layer above',
      'routes/a.ts',
      "const x = await import('../src/gateway.ts')",
      'routes imports src',
    ],
    [
      'an import over several lines',
      'routes/a.ts',
      "import {\n  a,\n  b,\n} from '../src/gateway.ts'",
      'routes imports src',
    ],
    [
      'a built-in module in core',
      'src/core/a.ts',
      "import { DurableObject } from 'cloudflare:workers'",
      'core runs anywhere',
    ],
    ['a Node module in core', 'src/core/a.ts', "import { join } from 'node:path'", 'core runs anywhere'],
    ['the Worker in the host', 'host/a.ts', "import { x } from '../src/gateway.ts'", 'host imports'],
    ['the CLI in the host', 'host/a.ts', "import { x } from '../cli/x.ts'", 'host imports'],
    ['the host in the Worker', 'src/gateway.ts', "import { x } from '../host/x.ts'", 'belongs to no layer'],
    ['a value in a seam', 'src/env.ts', "import { x } from './gateway.ts'", 'types and src/core alone'],
  ])('finds %s', (_what, path, source, message) => {
    const violations = findViolations(new Map([[path, source]]))
    expect(violations).toHaveLength(1)
    expect(violations[0]).toContain(path)
    expect(violations[0]).toContain(message)
  })

  test.each([
    ['its own layer', 'runtime/a.ts', "import { b } from './b.ts'"],
    ['a layer below', 'src/gateway.ts', "import { b } from '../runtime/b.ts'"],
    ['core in the host', 'host/a.ts', "import { b } from '../src/core/b.ts'"],
    ['the host in the CLI', 'cli/a.ts', "import { b } from '../host/b.ts'"],
    ['a value of core in a seam', 'src/roles.ts', "import { x } from './core/errors.ts'"],
    ['a seam in a low layer', 'src/registry/a.ts', "import type { StateEnv } from '../env.ts'"],
    ['a package in core', 'src/core/a.ts', "import ipaddr from 'ipaddr.js'"],
    ['types of higher files in a seam', 'src/env.ts', "import type { A } from './registry/account.ts'"],
  ])('allows %s', (_what, path, source) => {
    expect(findViolations(new Map([[path, source]]))).toEqual([])
  })

  test('finds a cycle, and says its way', () => {
    const tree = new Map([
      ['src/core/a.ts', "import { b } from './b.ts'"],
      ['src/core/b.ts', "import type { C } from './c.ts'"],
      ['src/core/c.ts', "export { a } from './a.ts'"],
      ['src/core/d.ts', "import { a } from './a.ts'"],
    ])
    expect(findCycles(tree)).toEqual(['src/core/a.ts → src/core/b.ts → src/core/c.ts → src/core/a.ts'])
  })
})

/** Each forbidden import, as a sentence. */
function findViolations(tree: Tree): string[] {
  return [...tree].flatMap(([path, source]) =>
    readImports(path, source).flatMap(imported => {
      const reason = reasonAgainst(path, imported)
      return reason ? [`${path}: '${imported.specifier}': ${reason}`] : []
    }),
  )
}

function reasonAgainst(from: string, { specifier, isTypeOnly, path }: Import): string | undefined {
  const [folder = ''] = from.split('/')
  const nodeSide = NODE_SIDE[folder]
  if (nodeSide) return path && !nodeSide.test(path) ? `${folder} imports only itself and src/core` : undefined
  if (SEAMS.has(from)) {
    return isTypeOnly || path?.startsWith('src/core/') ? undefined : 'a seam imports types and src/core alone'
  }

  const rank = rankOf(from)
  if (rank === -1) return `${from} belongs to no layer`
  if (!path) {
    const isBuiltIn = /^(cloudflare|node):/.test(specifier)
    return isBuiltIn && nameOf(rank) === 'core'
      ? 'core runs anywhere, so it imports no built-in module'
      : undefined
  }
  if (SEAMS.has(path)) return undefined
  const importedRank = rankOf(path)
  if (importedRank === -1) return `${path} belongs to no layer`
  return importedRank < rank ? `${nameOf(rank)} imports ${nameOf(importedRank)}, a layer above` : undefined
}

const rankOf = (path: string): number => LAYERS.findIndex(([, files]) => files.test(path))
const nameOf = (rank: number): string | undefined => LAYERS[rank]?.[0]

/** Each cycle once, from its first file in alphabetical order. The seams' types name files of every layer: no cycle. */
function findCycles(tree: Tree): string[] {
  const edges = new Map(
    [...tree]
      .filter(([path]) => !SEAMS.has(path))
      .map(([path, source]) => [path, readImports(path, source).flatMap(({ path }) => path ?? [])]),
  )
  const cycles = new Set<string>()
  const done = new Set<string>()
  const walk = (path: string, way: readonly string[]): void => {
    const start = way.indexOf(path)
    if (start >= 0) cycles.add(toCycle(way.slice(start)))
    if (start >= 0 || done.has(path)) return
    for (const next of edges.get(path) ?? []) walk(next, [...way, path])
    done.add(path)
  }
  for (const path of edges.keys()) walk(path, [])
  return [...cycles]
}

function toCycle(files: readonly string[]): string {
  const first = files.indexOf([...files].sort()[0] ?? '')
  const turned = [...files.slice(first), ...files.slice(0, first)]
  return [...turned, turned[0]].join(' → ')
}

/** Static and dynamic imports and re-exports. By pattern: the code has one formatter, so its imports have one form. */
function readImports(from: string, source: string): Import[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const found = code.matchAll(
    /^(?:import|export)\s+(?:(type\b)?[^'"`;=]*?\bfrom\s+)?'([^']+)'|\bimport\('([^']+)'\)/gm,
  )
  return [...found].map(([text, type, named, dynamic]) => {
    const specifier = named ?? dynamic ?? ''
    const isTypeOnly = Boolean(type) || code.includes(`typeof ${text}`)
    const path = specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined
    return { specifier, isTypeOnly, path }
  })
}

function readTree(root: string, folders: readonly string[]): Tree {
  const paths = folders.flatMap(folder =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map(name =>
      posix.join(folder, name),
    ),
  )
  const sources = paths.filter(path => path.endsWith('.ts') && !path.endsWith('.d.ts')).sort()
  return new Map(sources.map(path => [path, readFileSync(join(root, path), 'utf8')]))
}
