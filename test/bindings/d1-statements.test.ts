import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toBookmark } from '../../bindings/d1/bookmark.ts'
import { causeOf, parseApiQueries, parseQueries, toResult } from '../../bindings/d1/protocol.ts'
import { StatementReader, splitStatements, trimSql } from '../../bindings/d1/statements.ts'

const TRIGGER = `CREATE TRIGGER t AFTER INSERT ON a BEGIN
  UPDATE a SET x = CASE WHEN x = 1 THEN 2 ELSE 3 END; -- END;
  DELETE FROM b WHERE y = 'END;';
END`

const cases: readonly [sql: string, statements: readonly string[]][] = [
  ['', []],
  [' \n\t;; ; ', []],
  ['-- only a comment', []],
  ['/* only ; a comment */;', []],
  ['/* unfinished', []],
  ['SELECT 1', ['SELECT 1']],
  ['SELECT 1;SELECT 2;', ['SELECT 1', 'SELECT 2']],
  ['SELECT \';\', ";", `;`, [;]; SELECT 2', ['SELECT \';\', ";", `;`, [;]', ' SELECT 2']],
  ["SELECT 'it''s; fine'; SELECT 2", ["SELECT 'it''s; fine'", ' SELECT 2']],
  ['SELECT 1 -- one;\n; SELECT 2 /* ; */ -- two', ['SELECT 1', ' SELECT 2']],
  ['SELECT 1 - -1; SELECT 4/2', ['SELECT 1 - -1', ' SELECT 4/2']],
  ['-- first\nSELECT 1;', ['-- first\nSELECT 1']],
  ["SELECT 'unfinished; text", ["SELECT 'unfinished; text"]],
  [`${TRIGGER};SELECT 1`, [TRIGGER, 'SELECT 1']],
  [
    `create temp trigger t begin select 1; end ; select 2`,
    ['create temp trigger t begin select 1; end', ' select 2'],
  ],
  [`EXPLAIN QUERY PLAN ${TRIGGER}; SELECT 1`, [`EXPLAIN QUERY PLAN ${TRIGGER}`, ' SELECT 1']],
  [
    'CREATE /* x */ TEMPORARY -- y\n TRIGGER t BEGIN SELECT 1;;END;',
    ['CREATE /* x */ TEMPORARY -- y\n TRIGGER t BEGIN SELECT 1;;END'],
  ],
  ['CREATE TABLE "trigger" (a); SELECT 1', ['CREATE TABLE "trigger" (a)', ' SELECT 1']],
  ['BEGIN; SELECT 1; END; SELECT 2', ['BEGIN', ' SELECT 1', ' END', ' SELECT 2']],
  ['SELECT é; SELECT 😀', ['SELECT é', ' SELECT 😀']],
]

describe('splitStatements()', () => {
  test.each(cases)('of %j', (sql, statements) => {
    expect(splitStatements(sql)).toEqual(statements)
  })

  test('gives the same wherever a text is cut', () => {
    const text = cases
      .map(([sql]) => sql)
      .filter(sql => !/unfinished|only a comment$|two$/.test(sql))
      .join(';\n')
    const whole = splitStatements(text)
    for (let at = 0; at <= text.length; at++) {
      const reader = new StatementReader()
      expect([...reader.push(text.slice(0, at)), ...reader.push(text.slice(at)), ...reader.finish()]).toEqual(
        whole,
      )
    }
  })

  test('gives the same for pieces of any sizes', () => {
    const token = fc.constantFrom(
      "'",
      '"',
      ';',
      '--',
      '/*',
      '*/',
      '\n',
      ' ',
      'CREATE',
      'TRIGGER',
      'END',
      'x',
      '[',
      ']',
      '-',
      '/',
    )
    fc.assert(
      fc.property(
        fc.array(token, { maxLength: 40 }),
        fc.array(fc.nat(6), { minLength: 1 }),
        (tokens, sizes) => {
          const text = tokens.join('')
          const reader = new StatementReader()
          const statements: string[] = []
          for (let at = 0, i = 0; at < text.length; i++) {
            const size = 1 + (sizes[i % sizes.length] ?? 0)
            statements.push(...reader.push(text.slice(at, at + size)))
            at += size
          }
          expect([...statements, ...reader.finish()]).toEqual(splitStatements(text))
        },
      ),
    )
  })

  test('takes time that grows as the text does, whatever the pieces', () => {
    const reader = new StatementReader()
    const row = `INSERT INTO a VALUES ('${'x'.repeat(90)}');\n`
    let count = 0
    for (let i = 0; i < 200; i++) count += reader.push(row.repeat(500)).length
    expect(count + reader.finish().length).toBe(100_000)
  }, 5000)
})

describe('trimSql()', () => {
  test.each([
    ['SELECT 1', 'SELECT 1'],
    ['SELECT 1;\n ', 'SELECT 1'],
    ['SELECT 1; -- done', 'SELECT 1'],
    ['SELECT 1; SELECT 2; /* done */', 'SELECT 1; SELECT 2'],
    ["SELECT '--'; ", "SELECT '--'"],
    ["SELECT '/*' -- x", "SELECT '/*'"],
    ['-- nothing', ''],
    [' ; ', ''],
    ['', ''],
  ])('of %j is %j', (sql, trimmed) => {
    expect(trimSql(sql)).toBe(trimmed)
  })
})

describe('parseQueries()', () => {
  test('takes one query, several, and parameters or none', () => {
    expect(parseQueries({ sql: 'a' })).toEqual([{ sql: 'a', params: null }])
    expect(
      parseQueries([
        { sql: 'a', params: [1] },
        { sql: 'b', params: null },
      ]),
    ).toEqual([
      { sql: 'a', params: [1] },
      { sql: 'b', params: null },
    ])
  })

  test.each([undefined, null, 5, 'SELECT 1', {}, { sql: 5 }, [{ sql: 'a' }, null]])('refuses %j', body => {
    expect(() => parseQueries(body)).toThrow('A statement must be a string.')
  })

  test.each([5, 'x', {}])('refuses %j as parameters', params => {
    expect(() => parseQueries({ sql: 'a', params })).toThrow(
      'The parameters of a statement must be an array.',
    )
  })
})

describe('parseApiQueries()', () => {
  test('takes a text of several statements, or a batch', () => {
    expect(parseApiQueries({ sql: 'a; b' }).map(({ sql }) => sql)).toEqual(['a', ' b'])
    expect(parseApiQueries({ batch: [{ sql: 'a', params: [1] }, { sql: 'b;c' }] })).toEqual([
      { sql: 'a', params: [1] },
      { sql: 'b', params: null },
      { sql: 'c', params: null },
    ])
  })

  test('refuses parameters of a text of several statements', () => {
    expect(() => parseApiQueries({ sql: 'a; b', params: [1] })).toThrow(
      'Parameters go with one statement; the text has 2.',
    )
  })
})

test('toResult() gives rows as arrays or as objects', () => {
  const answer = { columns: ['a', 'b'], rows: [[1, 'x']], meta: {} as never }
  expect(toResult(answer, 'arrays').results).toEqual({ columns: ['a', 'b'], rows: [[1, 'x']] })
  expect(toResult(answer, 'objects').results).toEqual([{ a: 1, b: 'x' }])
})

test('causeOf() leaves out what workerd says of its objects', () => {
  const reset =
    'Durable Object was reset and rolled back to its last known good state because the application left the database in a state where constraints were violated: FOREIGN KEY constraint failed'
  expect(causeOf(new Error(reset))).toBe('FOREIGN KEY constraint failed')
  expect(causeOf(new Error('anything else'))).toBe('anything else')
})

test('toBookmark() sorts by time, then by count, as the client class compares', () => {
  const bookmarks = [
    toBookmark(1_700_000_000_000, 9),
    toBookmark(1_700_000_000_000, 10),
    toBookmark(1_700_000_000_001, 1),
  ]
  expect(bookmarks.toSorted((a, b) => a.localeCompare(b))).toEqual(bookmarks)
  expect(bookmarks[0]).toMatch(/^[0-9a-f]{8}-[0-9a-f]{8}-00000009-0{32}$/)
})
