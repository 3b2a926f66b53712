import { expect, test } from 'vitest'
import type { Differences, Result } from '../contract/differences/difference.ts'

/**
 * Declares the tests that hold ours to a native one, a case each: equal outcomes, or what is declared of the case.
 *
 * @param native whose outcomes are expected, as the tests' names have it
 */
export function testCases(
  native: string,
  expected: readonly Result[],
  results: readonly Result[],
  differences: Differences,
): void {
  const ours = new Map(results)
  const isDeclared = ([name]: Result) => Object.hasOwn(differences, name)

  test(`every case runs, as with ${native}`, () => {
    expect(ours.size).toBeGreaterThan(0)
    expect([...ours.keys()]).toEqual(expected.map(([name]) => name))
    expect(Object.keys(differences).filter(name => !ours.has(name))).toEqual([])
  })

  test.each(expected.filter(result => !isDeclared(result)))(`as with ${native}: %s`, (name, outcome) => {
    expect(ours.get(name)).toEqual(outcome)
  })

  test.each(expected.filter(isDeclared))(`not as with ${native}, as declared: %s`, (name, outcome) => {
    expect(ours.get(name)).toEqual(differences[name]?.ours)
    expect(ours.get(name)).not.toEqual(outcome)
  })
}
