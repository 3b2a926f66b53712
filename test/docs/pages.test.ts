import { existsSync, globSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { COMMANDS } from '../../cli/main.ts'
import { resolveHostOptions } from '../../host/options.ts'
import { VERSION } from '../../routes/api/skerry/version.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')
const manifest = JSON.parse(read('package.json')) as {
  version: string
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
}

describe('docs/configuration.md', () => {
  // Every variable that is read is read through one object: whoever asks for another name is noticed.
  test('has every variable of `skerry up`, and none that it does not read', () => {
    const seen = new Set<string>()
    const env = new Proxy<Record<string, string>>({}, { get: (_, name) => void seen.add(String(name)) })
    resolveHostOptions(env, ROOT)
    const [section = ''] = read('docs/configuration.md').split('## The command line')
    const documented = [...section.matchAll(/^\| `(SKERRY_\w+)`/gm)].map(([, name]) => name)
    expect(documented.sort()).toEqual([...seen].sort())
  })

  test('has every text variable of the Worker', () => {
    const names = read('src/env.ts').match(/^ {2}readonly \w+(?=\??: string)/gm) ?? []
    const text = read('docs/configuration.md')
    expect(names.length).toBeGreaterThan(5)
    expect(
      names.map(name => name.replace('  readonly ', '')).filter(name => !text.includes(`\`${name}\``)),
    ).toEqual([])
  })
})

describe('docs/cli.md', () => {
  test('has every command, in the words of --help', () => {
    const documented = [
      // The words before the first argument or option.
      ...read('docs/cli.md').matchAll(/^\| `skerry ([\w-]+(?: [a-z][\w-]*)*)/gm),
    ]
    expect(documented.map(([, name]) => name).sort()).toEqual(COMMANDS.map(({ name }) => name).sort())
  })
})

describe('docs/dependencies.md', () => {
  test.each(['dependencies', 'devDependencies'] as const)('has the %s of package.json', kind => {
    const sections = read('docs/dependencies.md').split('## ')
    const section = sections[kind === 'dependencies' ? 1 : 2] ?? ''
    const documented = [...section.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name)
    expect(documented.sort()).toEqual(Object.keys(manifest[kind]).sort())
  })
})

describe('docs/compatibility.md', () => {
  test('has every kind of binding', () => {
    const table = /export const KINDS = \{([\s\S]*?)\}/.exec(read('bindings/index.ts'))?.[1] ?? ''
    const kinds = [...table.matchAll(/^ {2}(\w+)/gm)].map(([, kind]) => kind)
    const text = read('docs/compatibility.md')
    expect(kinds).toContain('kv_namespace')
    expect(kinds.filter(kind => !text.includes(`\`${kind}\``))).toEqual([])
  })

  test('has the newest compatibility date', () => {
    const [, date] = /NEWEST_COMPATIBILITY_DATE = '([\d-]+)'/.exec(read('runtime/compatibility.ts')) ?? []
    expect(read('docs/compatibility.md')).toContain(`${date}`)
  })
})

describe('every page', () => {
  const pages = globSync(['*.md', 'docs/**/*.md', 'examples/*.md', 'examples/*/*.md', 'bindings/*/*.md'], {
    cwd: ROOT,
  })

  test.each(pages)('%s links to files that are there', page => {
    const text = read(page).replace(/^```[\s\S]*?^```/gm, '')
    const targets = [...text.matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(([, target = '']) => target)
    const missing = targets
      .filter(target => !/^\w+:/.test(target))
      .filter(target => !existsSync(join(ROOT, dirname(page), target)))
    expect(missing).toEqual([])
  })
})

test('the platform says the version of package.json', () => {
  expect(VERSION).toBe(manifest.version)
})
