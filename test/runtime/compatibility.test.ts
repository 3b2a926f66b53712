import { describe, expect, test } from 'vitest'
import { checkCompatibility, NEWEST_COMPATIBILITY_DATE, resolveFlags } from '../../runtime/compatibility.ts'

const LATER = '2099-01-01'

describe('checkCompatibility()', () => {
  test.each([
    ['2021-11-01', [], '2026-11-21'],
    ['2026-11-21', [], '2026-11-21'],
    [NEWEST_COMPATIBILITY_DATE, [], LATER],
    ['2024-02-29', ['nodejs_compat', 'global_navigator'], '2026-11-21'],
  ])('accepts %s %j on %s', (date, flags, today) => {
    expect(() => checkCompatibility(date, flags, today)).not.toThrow()
  })

  test.each([
    [
      '2026-11-22',
      [],
      '2026-11-21',
      `Can't set compatibility date in the future: 2026-11-22. Today's date (UTC) is 2026-11-21.`,
    ],
    ['2023-02-29', [], LATER, 'Invalid compatibility date: 2023-02-29. Write it as YYYY-MM-DD.'],
    ['2023-13-01', [], LATER, 'Invalid compatibility date: 2023-13-01. Write it as YYYY-MM-DD.'],
    ['20230101', [], LATER, 'Invalid compatibility date: 20230101. Write it as YYYY-MM-DD.'],
    ['', [], LATER, 'Invalid compatibility date: . Write it as YYYY-MM-DD.'],
    ['2024-01-01', ['a', 'a'], LATER, 'Compatibility flag specified multiple times: a'],
    [
      '2024-01-01',
      ['no_rpc'],
      LATER,
      'The compatibility flag no_rpc is not supported here: the platform reaches the isolate and its bindings by RPC. Remove it.',
    ],
    [
      '2026-01-01',
      ['disallow_importable_env'],
      LATER,
      'The compatibility flag disallow_importable_env is not supported here: the platform prepares bindings through the importable env. Remove it.',
    ],
    [
      '2026-01-01',
      ['python_workers'],
      LATER,
      'The compatibility flag python_workers is not supported here: Python Workers are not supported. Remove it.',
    ],
  ])('refuses %s %j on %s', (date, flags, today, message) => {
    expect(() => checkCompatibility(date, flags, today)).toThrow(
      expect.objectContaining({ code: 'ERR_UPLOAD_METADATA', detail: message }),
    )
  })

  test('refuses a date that the runtime does not know yet', () => {
    const [year, month, day] = NEWEST_COMPATIBILITY_DATE.split('-').map(Number) as [number, number, number]
    const next = new Date(Date.UTC(year, month - 1, day + 1)).toISOString().slice(0, 10)
    expect(() => checkCompatibility(next, [], LATER)).toThrow(
      `This Worker requires compatibility date "${next}", but the newest date supported by this server binary is "${NEWEST_COMPATIBILITY_DATE}".`,
    )
  })
})

describe('resolveFlags() adds what the date does not imply', () => {
  test.each([
    ['modules', '2024-03-25', ['rpc', 'fetcher_no_get_put_delete']],
    ['modules', '2024-03-26', ['rpc']],
    ['modules', '2024-04-02', ['rpc']],
    ['modules', '2024-04-03', []],
    ['service-worker', '2025-05-31', ['allow_eval_during_startup']],
    ['service-worker', '2025-06-01', []],
  ] as const)('%s %s: %j', (format, date, expected) => {
    expect(resolveFlags(format, date, [])).toEqual(expected)
    expect(resolveFlags(format, date, ['nodejs_als', ...expected])).toEqual(['nodejs_als', ...expected])
  })
})
