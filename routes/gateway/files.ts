import { mapFiles } from '../../src/core/gateway-files.ts'
import type { FoundIssue } from '../policies/issues.ts'
import type { Path } from './places.ts'

/**
 * The document with the contents of files in the place of their names: of `.json` files the value, of others the text.
 *
 * @param files texts by name, as they came with the document
 */
export function withFiles(
  value: unknown,
  files: ReadonlyMap<string, string>,
): { value: unknown; issues: FoundIssue[] } {
  const issues: FoundIssue[] = []
  const refuse = (path: Path, message: string): string => {
    issues.push({ path, message })
    return ''
  }
  const whole = mapFiles(value, (name, path) => {
    const text = files.get(name)
    if (text === undefined) {
      return refuse(path, `The file "${name}" didn't come along; \`skerry gateway apply\` sends it.`)
    }
    if (/\.ya?ml$/i.test(name)) {
      return refuse(path, `"${name}" is YAML, which is not read here: convert it to JSON.`)
    }
    if (!/\.json$/i.test(name)) return text
    try {
      return JSON.parse(text)
    } catch (error) {
      return refuse(path, `"${name}" is not JSON: ${(error as Error).message}.`)
    }
  })
  return { value: whole, issues }
}
