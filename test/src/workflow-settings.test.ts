import { describe, expect, test } from 'vitest'
import { parseSettings } from '../../routes/api/cloudflare/workflows-settings.ts'
import { toJson, toStep } from '../../routes/api/cloudflare/workflows-show.ts'

const OWN = { script_name: 'shop', class_name: 'Orders' }

describe('parseSettings()', () => {
  test('keeps what is named, and leaves out the rest', () => {
    expect(parseSettings(OWN)).toEqual({ script: 'shop', className: 'Orders' })
    const all = {
      ...OWN,
      limits: { steps: 25_000 },
      concurrency: { limit: 3 },
      schedules: [{ cron: '0 1 * * *' }, { cron: '0 1 * * *' }, { cron: '0 2 * * *' }],
      default_retention: { success_retention: 5000, error_retention: '30 days' },
    }
    expect(parseSettings(all)).toEqual({
      script: 'shop',
      className: 'Orders',
      stepLimit: 25_000,
      concurrency: 3,
      schedules: ['0 1 * * *', '0 2 * * *'],
      retention: { successMs: 5000, errorMs: 30 * 86_400_000 },
    })
  })

  test.each<[object, string]>([
    [{ script_name: '' }, '`script_name` is ""'],
    [{ class_name: 5 }, '`class_name` is 5'],
    [{ limits: { steps: 25_001 } }, '`limits.steps` is 25001. It must be an integer from 1 to 25000.'],
    [{ limits: { steps: 1.5 } }, '`limits.steps` is 1.5'],
    [{ limits: [] }, '`limits` is an array'],
    [{ concurrency: 5 }, '`concurrency` is 5. It must be an object.'],
    [{ concurrency: { limit: 0 } }, '`concurrency.limit` is 0. It must be an integer of at least 1.'],
    [{ schedules: '* * * * *' }, '`schedules` is "* * * * *". It must be an array.'],
    [{ schedules: [{}] }, '`schedules[0].cron` is missing'],
    [{ default_retention: { success_retention: 0 } }, '`default_retention.success_retention` is 0'],
    [{ default_retention: { error_retention: '31 days' } }, 'of at most 30 days'],
    [{ default_retention: { retention: 1 } }, '`default_retention.retention` is unknown'],
    [{ jurisdiction: 'eu' }, '`jurisdiction` is not supported'],
    [{ region: 'eu' }, '`region` is unknown'],
  ])('refuses %j by name', (fields, says) => {
    expect(() => parseSettings({ ...OWN, ...fields })).toThrow(
      expect.objectContaining({ code: 'ERR_WORKFLOW_INVALID', detail: expect.stringContaining(says) }),
    )
  })
})

describe('toJson()', () => {
  test('shows what JSON has no form for', () => {
    const circle: Record<string, unknown> = {}
    circle.self = circle
    expect(toJson({ n: 1n, map: new Map([[1, 'a']]), set: new Set([2]), at: new Date(0) })).toEqual({
      n: '1',
      map: [[1, 'a']],
      set: [2],
      at: '1970-01-01T00:00:00.000Z',
    })
    expect(toJson(new Error('why'))).toEqual({ name: 'Error', message: 'why' })
    expect(toJson(undefined)).toBeNull()
    expect(toJson(circle)).toBe('[no JSON]')
  })
})

describe('toStep()', () => {
  const START = { name: 'a', count: 2, startMs: 0 }
  test('tells of no end before a wait is over', () => {
    expect(toStep({ ...START, type: 'sleep', dueMs: 5 })).toEqual({
      type: 'sleep',
      name: 'a-2',
      start: '1970-01-01T00:00:00.000000Z',
      end: null,
      error: null,
      finished: false,
    })
  })

  test('an attempt that runs is neither a success nor a failure', () => {
    const attempts = [{ startMs: 0, endMs: 1, error: { name: 'Error', message: 'x' } }, { startMs: 2 }]
    expect(toStep({ ...START, type: 'do', attempts })).toMatchObject({
      type: 'step',
      success: null,
      attempts: [{ success: false }, { success: null, end: null }],
    })
  })
})
