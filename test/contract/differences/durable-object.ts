import { expect } from 'vitest'
import { type Differences, same } from './difference.ts'

/** Where ours differs from native objects: what ours does, and why. Everything else must be equal. */
const DIFFERENCES: Differences = {
  ...same(
    ['abort() without a reason'],
    {
      error: 'Error: Application called abort() to reset Durable Object.',
      fields: expect.objectContaining({ remote: true }),
    },
    'it comes by RPC',
  ),
  ...same(
    ['abort()'],
    [{ error: 'Error: a reason', fields: expect.objectContaining({ remote: true }) }, 1],
    'a stub goes on after its object was reset; natively it is broken',
  ),
  ...same(
    ['blockConcurrencyWhile() that fails'],
    [{ error: 'Error: failed inside', fields: expect.objectContaining({ remote: true }) }, 1],
    'a stub goes on after its object was reset; natively it is broken',
  ),
  ...same(
    ['the member connect'],
    {
      error: "TypeError: 'connect' is a reserved method and cannot be called over RPC.",
      fields: { remote: true },
    },
    'there are no raw sockets to objects',
  ),
}

/** Of old, errors named no object natively nor here. */
const ONLY_NEW: Differences = {
  ...same(
    [
      'an error of kind text',
      'an error of kind undefined',
      'a method that is not there',
      'a field',
      'a private method',
      'the member alarm',
      'the member webSocketMessage',
      'the member ctx',
      'the member env',
      'a call through call()',
      'RPC of an object that extends nothing',
    ],
    { error: expect.any(String), fields: { durableObjectId: '<id>', remote: true } },
    "the error passes the object's host, which names the object in it",
  ),
}

/** The differences under a compatibility date. */
export function differencesOn(date: string): Differences {
  return date > '2026' ? { ...ONLY_NEW, ...DIFFERENCES } : DIFFERENCES
}
