import { expect } from 'vitest'
import type { Difference, Differences, Result } from './difference.ts'

interface DatedDifference extends Difference {
  /** The only compatibility date on which it differs; absent = all. */
  readonly date?: string
}

const NEW = '2026-11-01'

/** Where ours differs from workerd's own queues: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Readonly<Record<string, DatedDifference>> = {
  'refusals: the text of a producer': {
    ours: { value: '[object WorkerQueue]' },
    why: 'it is that of newer dates; no program looks at it',
    date: '2022-01-01',
  },
  ...refused(
    ['send() with a delay of -1', 'sendBatch() with a delay of -1'],
    'message delay of -1 seconds must be between 0 and 86400 seconds (10203)',
    'Bad Request',
    "workerd's own queues take any delay; Cloudflare refuses it",
  ),
  ...refused(
    ['send() with a delay of 86,401'],
    'message delay of 86401 seconds must be between 0 and 86400 seconds (10203)',
    'Bad Request',
    'as above',
  ),
  ...Object.fromEntries(
    [
      ['send() of 128,001 bytes', 'message length of 128001 bytes exceeds limit of 128000 bytes (10204)'],
      [
        'send() of 128,001 bytes of JSON',
        'message length of 128001 bytes exceeds limit of 128000 bytes (10204)',
      ],
      ['sendBatch() of 101 messages', 'batch message count of 101 exceeds limit of 100 (10206)'],
      ['sendBatch() of 256,001 bytes', 'batch size of 256001 bytes exceeds limit of 256000 bytes (10205)'],
      [
        'sendBatch() with a message of 128,001 bytes',
        'message in batch has length 128001 bytes which exceeds single message size limit of 128000 bytes (10204)',
      ],
    ].map(([name, text]) => [
      `refusals: ${name}`,
      {
        ours: { error: `Error: ${text}`, own: [] },
        why: "newer dates show the cause with Cloudflare's code, which workerd's own queues don't give",
        date: NEW,
      },
    ]),
  ),
  ...Object.fromEntries(
    [
      ['send() of a function as JSON', 'function'],
      ['send() of what toJSON() makes nothing of', 'object'],
    ].map(([name, kind]) => [
      `refusals: ${name}`,
      {
        ours: { error: `TypeError: Message body of type ${kind} cannot be written as JSON`, own: [] },
        why: 'natively it is stored as `undefined`, which no consumer can read',
        date: NEW,
      },
    ]),
  ),
}

/** Older dates show the status alone. */
function refused(names: readonly string[], text: string, status: string, why: string) {
  const shown = (name: string) =>
    expect.toSatisfy(
      (seen: { error: string; own: string[] }) =>
        [`Error: ${text}`, `Error: Queue ${name.split('(')[0]} failed: ${status}`].includes(seen.error) &&
        seen.own.length === 0,
    )
  return Object.fromEntries(names.map(name => [`refusals: ${name}`, { ours: shown(name), why }]))
}

/** The differences under a compatibility date. */
export function differencesOn(date: string): Differences {
  const entries = Object.entries(DIFFERENCES)
  return Object.fromEntries(entries.filter(([, difference]) => (difference.date ?? date) === date))
}

/** What the driver tries, each at a path of its own. */
export const PARTS = ['refusals', 'deliveries', 'verdicts'] as const

/** The results of a part, under names that say which. */
export function comparable(part: (typeof PARTS)[number], text: string): Result[] {
  return (JSON.parse(text) as Result[]).map(([name, outcome]) => [`${part}: ${name}`, outcome])
}
