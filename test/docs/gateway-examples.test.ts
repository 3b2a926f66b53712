import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkDocument } from '../../routes/gateway/check.ts'
import { withFiles } from '../../routes/gateway/files.ts'
import { locateIssues, parseSource } from '../../routes/gateway/source.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Every piece of TOML on our pages that is (a part of) a gateway file. */
const examples = globSync(['README.md', 'docs/**/*.md'], { cwd: ROOT }).flatMap(page => {
  const text = readFileSync(join(ROOT, page), 'utf8')
  return [...text.matchAll(/^```toml\n([\s\S]*?)^```/gm)]
    .map(([, source = ''], i) => ({ page, place: i + 1, source }))
    .filter(({ source }) => /^\[\[routes\]\]\s|^\[policies\./m.test(source))
})

test.each(examples)('the gateway file on $page, number $place, is right', ({ source }) => {
  const parsed = parseSource(source, 'toml')
  if ('issues' in parsed) throw new Error(JSON.stringify(parsed.issues))
  // What the files hold is the reader's.
  const { value, issues } = withFiles(parsed.value, new Map())
  const missing = new Set(issues.map(({ path }) => JSON.stringify(path.slice(0, 2))))
  const check = checkDocument(value)
  const found = 'issues' in check ? check.issues : []
  const wrong = found.filter(
    // A piece needs not name what stands on another part of the page.
    ({ path, message }) =>
      !missing.has(JSON.stringify(path.slice(0, 2))) && !/^There is no policy "/.test(message),
  )
  expect(locateIssues(source, 'toml', wrong)).toEqual([])
})

test('there are gateway files on the pages', () => {
  expect(examples.length).toBeGreaterThan(2)
})
