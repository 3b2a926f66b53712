import { describe, expect, test } from 'vitest'
import { signTraceToken, verifyTraceToken } from '../../src/registry/trace-tokens.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const OTHER_KEY = Buffer.alloc(32, 8).toString('base64')
const ACCOUNT = '0123456789abcdef0123456789abcdef'
const NOW_MS = Date.UTC(2026, 10, 21, 12)
const UNTIL_MS = NOW_MS + 60_000

describe('a trace token', async () => {
  const token = await signTraceToken(ACCOUNT, UNTIL_MS, KEY)

  test.each([
    ['until its end', NOW_MS + 59_999, { accountId: ACCOUNT, untilMs: UNTIL_MS }],
    ['no longer', NOW_MS + 60_000, undefined],
  ])('is good %s', async (_, nowMs, expected) => {
    expect(await verifyTraceToken(token, nowMs, KEY)).toEqual(expected)
  })

  test.each([
    ['of another account', token.replace('0123', '0124')],
    ['made longer', token.replace(String(UNTIL_MS), String(UNTIL_MS + 1))],
    ['without a signature', token.slice(0, token.lastIndexOf('.'))],
    ['that is none', 'token'],
  ])('one %s is not', async (_, forged) => {
    expect(await verifyTraceToken(forged, NOW_MS, KEY)).toBeUndefined()
  })

  test('has one spelling: no other last character will do', async () => {
    for (const last of '0123456789abcdefABCDEF-') {
      const spelt = token.slice(0, -1) + last
      const found = await verifyTraceToken(spelt, NOW_MS, KEY)
      expect([last, found !== undefined]).toEqual([last, spelt === token])
    }
  })

  test('of another platform is not', async () => {
    expect(await verifyTraceToken(token, NOW_MS, OTHER_KEY)).toBeUndefined()
  })
})
