import { expect } from 'vitest'
import { type Differences, type Result, same } from './difference.ts'

/** Where ours differs from workerd's own database, what ours does, and why. Everything else must be equal. */
export const DIFFERENCES: Differences = {
  ...same(
    ['prepare() of a number', 'prepare() of nothing', 'batch() of texts'],
    { error: 'Error: D1_ERROR: A statement must be a string.' },
    'the others answer with an accident of their code',
  ),
  ...same(
    ['batch() with foreign keys that stay broken'],
    {
      error:
        'Error: D1_ERROR: FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (extended: SQLITE_CONSTRAINT_FOREIGNKEY)',
    },
    'workerd speaks of a Durable Object there, which is no matter of the function',
  ),
}

/** Where Miniflare differs from both, and ours does as workerd's own. */
export const MINIFLARE_DIFFERENCES: Differences = {
  ...same(
    ['all() of spaces and semicolons', 'all() of a comment in slashes'],
    { error: 'Error: D1_ERROR: No SQL statements detected.' },
    'it looks for comments in one way of two, and leaves to SQLite what it does not find',
  ),
  ...same(
    ['all() of a comment after the semicolon'],
    expect.objectContaining({ success: true, results: [{ a: 1 }] }),
    'as above',
  ),
}

/** Results without what can't be the same: who served, and how long it took. */
export function comparable(text: string): Result[] {
  return JSON.parse(text, (key, value) => {
    if (key === 'duration' || key === 'sql_duration_ms') return typeof value
    return key === 'served_by' ? '<who>' : value
  }) as Result[]
}
