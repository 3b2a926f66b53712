import { createHash } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LIMITS } from '../../src/core/limits.ts'
import { startOurs } from '../support/d1-workerd.ts'
import type { Workerd } from '../support/workerd.ts'

/** Sends what a request's body has to the binding, and gives what came of it. */
const DRIVER = `export default {
  async fetch(request, env) {
    try {
      const { batch, texts, bytes } = await request.json()
      const filler = 'x'.repeat(bytes ?? 0)
      const statements = texts
        ? Array.from({ length: texts }, () => env.DB.prepare('SELECT length(?) AS n').bind(filler))
        : batch.map(({ sql, params = [] }) => env.DB.prepare(sql).bind(...params))
      const results = await env.DB.batch(statements)
      return Response.json(results.map(({ results }) => texts ? results.length : results))
    } catch (error) {
      return Response.json({ error: error.message })
    }
  },
}`

const dir = mkdtempSync(join(tmpdir(), 'd1-object-'))
let workerd: Workerd
beforeAll(async () => {
  workerd = await startOurs(DRIVER, dir)
})
afterAll(async () => {
  await workerd.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** What a function gets of its binding. */
async function bound(database: string, input: object): Promise<unknown> {
  const init = { method: 'POST', body: JSON.stringify(input) }
  return (await workerd.fetch(`/?database=${database}`, init)).json()
}
const run = (database: string, ...batch: string[]) => bound(database, { batch: batch.map(sql => ({ sql })) })

/** What the control plane gets of a database's object. */
async function ask(database: string, call: string, method = 'POST', body?: string | Uint8Array) {
  const path = `/?database=${encodeURIComponent(database)}&call=${encodeURIComponent(call)}`
  const response = await workerd.fetch(path, { method, ...(body !== undefined && { body }) })
  const text = await response.text()
  return { status: response.status, text, json: () => JSON.parse(text) }
}
const dump = async (database: string, options = {}) =>
  (await ask(database, '/dump', 'POST', JSON.stringify(options))).text

/** Uploads a file and imports it. */
async function importFile(database: string, sql: string) {
  const md5 = createHash('md5').update(sql).digest('hex')
  const staged = `account/${database}/import/${md5}`
  const upload = await ask(`${database}/import/${md5}`, `/stage?md5=${md5}`, 'PUT', sql)
  expect(upload.json()).toEqual({ success: true, md5 })
  return (await ask(database, `/import?staged=${encodeURIComponent(staged)}`)).json()
}

describe('a database', () => {
  test('is another than one of another id', async () => {
    await run('one', 'CREATE TABLE a (x)', 'INSERT INTO a VALUES (1)')
    expect(await run('other', 'SELECT * FROM a')).toEqual({
      error: 'D1_ERROR: no such table: a: SQLITE_ERROR',
    })
    expect(await run('one', 'SELECT * FROM a')).toEqual([[{ x: 1 }]])
  })

  test('tells its size and tables, without those of SQLite', async () => {
    await run('sized', 'CREATE TABLE a (x INTEGER PRIMARY KEY AUTOINCREMENT)', 'CREATE TABLE b (y)')
    const info = (await ask('sized', '/info', 'GET')).json()
    expect(info).toEqual({ num_tables: 2, file_size: expect.any(Number) })
    expect(info.file_size % 4096).toBe(0)
  })

  test('takes a call at the limit of its bytes, and refuses one past it', async () => {
    // Each statement is sent as {"sql":"SELECT length(?) AS n","params":["…"]}, with a comma or bracket.
    const around = '{"sql":"SELECT length(?) AS n","params":[""]},'.length
    const texts = 32
    const bytes = (LIMITS.d1RequestBytes - 1) / texts - around
    expect(await bound('limits', { texts, bytes: Math.floor(bytes) })).toEqual(Array(texts).fill(1))
    expect(await bound('limits', { texts, bytes: Math.floor(bytes) + 1 })).toEqual({
      error: expect.stringMatching(
        /^D1_ERROR: The statements .* have 335544\d\d bytes .*at most 33554432 are allowed/,
      ),
    })
  })

  test('gives a result at the limit, and refuses a larger one', async () => {
    const rows = (count: number) =>
      `WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < ${count}) SELECT hex(zeroblob(500000)) AS v FROM c`
    const response = await bound('limits', { batch: [{ sql: rows(33) }] })
    expect(response).toHaveLength(1)
    expect(await bound('limits', { batch: [{ sql: rows(34) }] })).toEqual({
      error: 'D1_ERROR: The result has more than 33554432 bytes. Ask for fewer rows at a time, with LIMIT.',
    })
  })

  test('that was deleted is gone, and begins no new life', async () => {
    await run('gone', 'CREATE TABLE a (x)')
    expect((await ask('gone', '/erase')).status).toBe(200)
    const deleted = { error: 'D1_ERROR: The database was deleted.' }
    expect(await run('gone', 'CREATE TABLE b (x)')).toEqual(deleted)
    expect((await ask('gone', '/erase')).status).toBe(200)
    await workerd.stop()
    workerd = await startOurs(DRIVER, dir)
    expect(await run('gone', 'CREATE TABLE b (x)')).toEqual(deleted)
  })

  test('loses nothing that was acknowledged when its process is killed', async () => {
    await run('kept', 'CREATE TABLE a (x)')
    let acknowledged = 0
    const writing = (async () => {
      for (;;) {
        const answer = await run('kept', `INSERT INTO a VALUES (1)`, `INSERT INTO a VALUES (2)`)
        if (!Array.isArray(answer)) return
        acknowledged++
      }
    })().catch(() => {})
    while (acknowledged < 50) await new Promise(resolve => setImmediate(resolve))
    await workerd.stop()
    await writing
    workerd = await startOurs(DRIVER, dir)
    const [[counts]] = (await run('kept', 'SELECT sum(x = 1) AS ones, sum(x = 2) AS twos FROM a')) as [
      [{ ones: number; twos: number }],
    ]
    expect(counts.ones).toBe(counts.twos)
    expect(counts.ones).toBeGreaterThanOrEqual(acknowledged)
  })

  test('refuses Time Travel where there is no history', async () => {
    for (const [call, method] of [
      ['/bookmark', 'GET'],
      ['/restore?bookmark=x', 'POST'],
    ] as const) {
      const { status, text } = await ask('one', call, method)
      expect(status).toBe(400)
      expect(text).toContain('Time Travel is not available on this host')
    }
  })

  test('knows no other calls', async () => {
    expect((await ask('one', '/other')).json()).toEqual({
      success: false,
      error: 'A database knows no POST /other.',
    })
  })
})

const SCHEMA = [
  'CREATE TABLE "odd ""name" (id INTEGER PRIMARY KEY AUTOINCREMENT, v)',
  'CREATE TABLE child (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES parents(id))',
  'CREATE TABLE parents (id INTEGER PRIMARY KEY)',
  'CREATE INDEX by_parent ON child (parent)',
  'CREATE VIEW seen AS SELECT * FROM child',
  `CREATE TRIGGER counted AFTER INSERT ON parents WHEN new.id < 0 BEGIN UPDATE child SET id = id; DELETE FROM child WHERE id = 'END;'; END`,
]
const ROWS = [
  `INSERT INTO "odd ""name" (v) VALUES ('it''s'), ('line' || char(10) || 'feed' || char(13)), (x'00ff'), (1.5), (NULL), (9e999), ('\\n'), (9007199254740991), ('😀')`,
  'INSERT INTO parents VALUES (1)',
  'INSERT INTO child VALUES (1, 1)',
]

describe('a dump', () => {
  beforeAll(async () => {
    await run('dumped', ...SCHEMA, ...ROWS)
  })

  test('imported makes the same database', async () => {
    const sql = await dump('dumped')
    const state = await importFile('copy', sql)
    expect(state).toEqual({ status: 'complete', result: expect.objectContaining({ num_queries: 20 }) })
    expect(await dump('copy')).toBe(sql)
    const all = 'SELECT *, typeof(v) AS t FROM "odd ""name"'
    expect(await run('copy', all)).toEqual(await run('dumped', all))
  })

  test('has one line a statement, and the sequences', async () => {
    const lines = (await dump('dumped')).trimEnd().split('\n')
    expect(lines[0]).toBe('PRAGMA defer_foreign_keys=TRUE;')
    expect(lines[1]).toBe(
      'CREATE TABLE IF NOT EXISTS "odd ""name" (id INTEGER PRIMARY KEY AUTOINCREMENT, v);',
    )
    expect(lines).toContain(
      `INSERT INTO "odd ""name" ("id","v") VALUES(2,replace(replace('line\\nfeed\\r','\\r',char(13)),'\\n',char(10)));`,
    )
    expect(lines).toContain(`INSERT INTO "odd ""name" ("id","v") VALUES(3,X'00ff');`)
    expect(lines).toContain('DELETE FROM sqlite_sequence;')
  })

  test.each([
    ['only the schema', { no_data: true }, /CREATE TABLE/, /INSERT INTO/],
    ['only the data', { no_schema: true }, /INSERT/, /CREATE/],
    ['only one table', { tables: ['parents'] }, /CREATE TABLE parents/, /child/],
  ])('has %s when asked', async (_, options, has, hasNot) => {
    const sql = await dump('dumped', options)
    expect(sql).toMatch(has)
    expect(sql).not.toMatch(hasNot)
  })

  test('of virtual tables is refused before it begins', async () => {
    await run('virtual', 'CREATE VIRTUAL TABLE search USING fts5(text)')
    const { status, text } = await ask('virtual', '/dump?check', 'POST', '{}')
    expect(status).toBe(400)
    expect(text).toContain('D1 Export error: cannot export databases with Virtual Tables (fts5)')
    expect((await ask('virtual', '/dump?check', 'POST', '{"tables":["other"]}')).status).toBe(200)
  })

  test('refuses options of a wrong type', async () => {
    expect((await ask('dumped', '/dump', 'POST', '{"tables":"a"}')).json()).toEqual({
      success: false,
      error: '"tables" must be an array of strings.',
    })
  })
})

describe('an import', () => {
  test.each([
    [
      'a failing statement',
      'CREATE TABLE n (a); INSERT INTO gone VALUES (1)',
      'no such table: gone: SQLITE_ERROR',
    ],
    [
      'a broken foreign key',
      'PRAGMA defer_foreign_keys=TRUE; CREATE TABLE n (a); CREATE TABLE p (id INTEGER PRIMARY KEY); CREATE TABLE c (p REFERENCES p(id)); INSERT INTO c VALUES (1)',
      'FOREIGN KEY constraint failed: SQLITE_CONSTRAINT (table c)',
    ],
    [
      'a transaction',
      'CREATE TABLE n (a); BEGIN TRANSACTION; COMMIT',
      expect.stringContaining('BEGIN TRANSACTION'),
    ],
    ['no statement', '-- nothing', 'No SQL statements detected.'],
    ['bytes that are no text', 'CREATE TABLE n (a); \udfff', undefined],
  ])('of %s leaves nothing', async (_, sql, error) => {
    const state = await importFile('atomic', sql)
    if (error) expect(state).toEqual({ status: 'error', error })
    expect(await run('atomic', 'SELECT count(*) AS n FROM sqlite_schema')).toEqual([
      [{ n: state.error ? 0 : 1 }],
    ])
  })

  test('of a file with another MD5 than announced is refused', async () => {
    const md5 = '0'.repeat(32)
    const upload = await ask(`wrong/import/${md5}`, `/stage?md5=${md5}`, 'PUT', 'SELECT 1')
    expect(upload.json()).toMatchObject({
      success: false,
      error: expect.stringContaining('Upload it again.'),
    })
    const state = await ask('wrong', `/import?staged=account/wrong/import/${md5}`)
    expect(state.json()).toMatchObject({
      status: 'error',
      error: expect.stringContaining('Upload it again.'),
    })
  })

  test('that nobody began is unknown', async () => {
    expect((await ask('one', '/import?staged=account/one/import/x', 'GET')).json()).toEqual({
      status: 'unknown',
    })
  })

  test('of 10 MB lets others wait, is answered once, and holds them to nothing half-done', async () => {
    const row = `INSERT INTO big VALUES ('${'x'.repeat(960)}');\n`
    const sql = `CREATE TABLE big (v);\n${row.repeat(10_000)}`
    const importing = importFile('big', sql)
    const counts: unknown[] = []
    let isOver = false
    void importing.finally(() => (isOver = true))
    while (!isOver) counts.push(await run('big', 'SELECT count(*) AS n FROM big'))
    expect(await importing).toMatchObject({ status: 'complete', result: { num_queries: 10_001 } })
    const seen = new Set(counts.map(count => JSON.stringify(count)))
    seen.delete(JSON.stringify({ error: 'D1_ERROR: no such table: big: SQLITE_ERROR' }))
    seen.delete(JSON.stringify([[{ n: 10_000 }]]))
    expect([...seen]).toEqual([])
  })
})
