import { describe, expect, test } from 'vitest'
import { withoutExpected } from '../../host/log.ts'

const GONE =
  'Warning: A promise was resolved or rejected from a different request context than the one it was created in. ' +
  'However, the creating request has already been completed or canceled. Continuations for that request are ' +
  'unlikely to run safely and have been canceled.'
const ASKED = [
  '    at Place.<anonymous> (<anonymous>)',
  '    at Place.ask (worker.js:10306:19)',
  '    at AccountGate.ask (worker.js:10353:64)',
]
const OTHER = ['    at Object.<anonymous> (<anonymous>)', '    at wake (user.js:1:2)']

describe('what a process prints', () => {
  test.each<[what: string, printed: string[], passed: string[]]>([
    ['passes', ['one', '    at home', 'two'], ['one', '    at home', 'two']],
    ['loses the warning that a request which was asked is gone', ['a', GONE, ...ASKED, 'b'], ['a', 'b']],
    ['loses each of several', [GONE, ...ASKED, GONE, ...ASKED, 'b', '    at b'], ['b', '    at b']],
    ['keeps the same warning of anything else', [GONE, ...OTHER, 'b'], [GONE, ...OTHER, 'b']],
    ['keeps it without a stack', [GONE, 'b'], [GONE, 'b']],
    ['keeps other warnings from there', ['Warning: else', ...ASKED], ['Warning: else', ...ASKED]],
  ])('%s', (_, printed, passed) => {
    const lines: string[] = []
    const take = withoutExpected(line => lines.push(line))
    for (const line of printed) take(line)
    expect(lines).toEqual(passed)
  })
})
