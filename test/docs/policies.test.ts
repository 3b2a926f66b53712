import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { POLICY_KINDS } from '../../routes/policies/kinds.ts'
import { optionsOf, toTable } from './policy-options.ts'

const FOLDER = join(import.meta.dirname, '../../docs/policies')
const kinds = [...POLICY_KINDS.values()].sort((a, b) => a.type.localeCompare(b.type))
const pageOf = (type: string) => join(FOLDER, `${type}.md`)

/** What stands between two marks is written by the test: the options of a kind, from its schema. */
const TABLE = /(<!-- options -->\n)[\s\S]*?(<!-- \/options -->)/

describe.each(kinds)('the page of the policy $type', ({ type, options }) => {
  const path = pageOf(type)
  const rows = optionsOf(options)
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''

  test('is there, begins with its name, and has marks for the options', () => {
    expect(text.split('\n', 1)).toEqual([`# ${type}`])
    expect(text).toMatch(TABLE)
  })

  test('says of every option what its schema says; `vitest run --project unit test/docs -u` writes it anew', async () => {
    const expected = text.replace(
      TABLE,
      (_, start: string, end: string) => `${start}\n${toTable(rows)}\n${end}`,
    )
    await expect(expected).toMatchFileSnapshot(path)
  })

  test('has an example of a gateway file, and one of a Worker of one’s own', () => {
    expect(text).toContain(`type = "${type}"`)
    expect(text).toMatch(/from 'skerry\/policies'/)
  })

  test.each(rows)('has words for $name', ({ words }) => {
    expect(words).not.toBe('')
  })
})

test('docs/policies/README.md names every policy, once', () => {
  const text = readFileSync(join(FOLDER, 'README.md'), 'utf8')
  const named = [...text.matchAll(/^\| \[`([\w-]+)`\]\(\1\.md\)/gm)].map(([, type]) => type)
  expect(named.sort()).toEqual(kinds.map(({ type }) => type))
})
