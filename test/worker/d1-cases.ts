import { see } from './kv-see.ts'

/** A D1 binding that may be called wrongly. */
export type Db = D1Database & { readonly [name: string]: (...args: unknown[]) => unknown }
/** One case: what it returns or throws is compared. */
export type Case = (db: Db) => unknown

const ask =
  (sql: string, ...values: unknown[]): Case =>
  async db =>
    db
      .prepare(sql)
      .bind(...values)
      .all()

/** The same after statements that prepare for it. */
const after =
  (before: readonly string[], then: Case): Case =>
  async db => {
    for (const sql of before) await db.prepare(sql).run()
    return then(db)
  }

const bytes = (...values: number[]) => new Uint8Array(values)

const values: Record<string, () => unknown> = {
  null: () => null,
  undefined: () => undefined,
  'an integer': () => 42,
  'a fraction': () => 1.5,
  'minus zero': () => -0,
  'the largest safe integer': () => Number.MAX_SAFE_INTEGER,
  'a larger integer': () => 2 ** 63,
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  'a BigInt': () => 5n,
  true: () => true,
  false: () => false,
  'a text': () => 'text',
  'the empty text': () => '',
  'a text with NUL': () => 'a\0b',
  'a lone surrogate': () => '\ud800',
  emoji: () => '😀é',
  'a Symbol': () => Symbol('s'),
  'an ArrayBuffer': () => bytes(1, 2, 255).buffer,
  'an empty ArrayBuffer': () => new ArrayBuffer(0),
  'a Uint8Array': () => bytes(1, 2, 255),
  'a part of an array': () => bytes(1, 2, 3, 4).subarray(1, 3),
  'a Uint16Array': () => new Uint16Array([1, 258]),
  'a DataView': () => new DataView(bytes(7, 8).buffer),
  'an array of bytes': () => [1, 2, 255],
  'an empty array': () => [],
  'an array of large numbers': () => [256],
  'an array of texts': () => ['a'],
  'an object': () => ({ a: 1 }),
  'a Date': () => new Date(0),
  'a function': () => () => 1,
}

const statements: Record<string, string> = {
  nothing: '',
  'spaces and semicolons': ' ; ;\n',
  'a comment': '-- nothing',
  'a comment in slashes': '/* nothing */',
  'a comment before': '-- first\nSELECT 1 AS a',
  'a comment after': 'SELECT 1 AS a -- last',
  'a comment after the semicolon': 'SELECT 1 AS a; /* last */ -- really',
  'a semicolon in a text': "SELECT 'a;--b' AS a;",
  'two statements': 'SELECT 1 AS a; SELECT 2 AS b',
  'a syntax error': 'SELEKT 1',
  'an unfinished text': "SELECT 'a",
  'a missing table': 'SELECT * FROM gone',
  'a missing column': 'SELECT gone FROM sqlite_schema',
  BEGIN: 'BEGIN TRANSACTION',
  COMMIT: 'COMMIT',
  ROLLBACK: 'ROLLBACK',
  SAVEPOINT: 'SAVEPOINT a',
  RELEASE: 'RELEASE a',
  ATTACH: "ATTACH DATABASE 'x.db' AS x",
  DETACH: 'DETACH DATABASE main',
  VACUUM: 'VACUUM',
  'VACUUM INTO': "VACUUM INTO '/tmp/x'",
  ANALYZE: 'ANALYZE',
  REINDEX: 'REINDEX',
  EXPLAIN: 'EXPLAIN QUERY PLAN SELECT 1',
  'CREATE TEMP TABLE': 'CREATE TEMP TABLE temporary (a)',
  'a table of the platform': 'CREATE TABLE _cf_x (a)',
  'reading a table of the platform': 'SELECT * FROM _cf_KV',
  'load_extension()': "SELECT load_extension('x')",
  'readfile()': "SELECT readfile('/etc/passwd')",
  fts5: 'CREATE VIRTUAL TABLE IF NOT EXISTS search USING fts5(text)',
  rtree: 'CREATE VIRTUAL TABLE boxes USING rtree(id, a, b)',
  dbstat: 'SELECT * FROM dbstat',
  'JSON functions': `SELECT json_extract('{"a":[1,2]}', '$.a[1]') AS a, '{"b":3}' ->> 'b' AS b`,
  'mathematical functions': 'SELECT round(sqrt(2), 3) AS a, pow(2, 10) AS b',
  'the version of SQLite': 'SELECT sqlite_version() AS version',
  'window functions': 'SELECT x, sum(x) OVER (ORDER BY x) AS s FROM (SELECT 1 AS x UNION ALL SELECT 2)',
  'a recursive query':
    'WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 5) SELECT x FROM c',
  'large integers': 'SELECT 9007199254740993 AS a, -9223372036854775808 AS b',
  infinity: 'SELECT 9e999 AS a, -9e999 AS b',
  'a blob': "SELECT x'00ff10' AS a, zeroblob(0) AS b, typeof(x'00') AS c",
  'a text with NUL': "SELECT 'a' || char(0) || 'b' AS a",
  'columns of one name': 'SELECT 1 AS a, 2 AS a',
  'a column without name': 'SELECT 1, 2',
  'a column named __proto__': 'SELECT 1 AS __proto__',
  'an error of a function': 'SELECT abs(-9223372036854775808)',
  'bad JSON': "SELECT json('{')",
  '5 compound selects': Array(5).fill('SELECT 1').join(' UNION ALL '),
  '6 compound selects': Array(6).fill('SELECT 1').join(' UNION ALL '),
  'a pattern of 50 bytes': `SELECT 'a' LIKE '${'%'.repeat(50)}' AS a`,
  'a pattern of 51 bytes': `SELECT 'a' LIKE '${'%'.repeat(51)}' AS a`,
  'a function of 32 arguments': `SELECT max(${Array(32).fill(1)}) AS a`,
  'a function of 33 arguments': `SELECT max(${Array(33).fill(1)}) AS a`,
  'a text of 2,000,000 bytes': "SELECT length(replace(hex(zeroblob(1000000)), '00', 'ab')) AS a",
  'a text of 4,000,000 bytes': 'SELECT length(hex(zeroblob(2000000))) AS a',
  'foreign keys': 'PRAGMA foreign_keys',
  'foreign keys off': 'PRAGMA foreign_keys = OFF',
  'deferred foreign keys': 'PRAGMA defer_foreign_keys = ON',
  'the list of tables': 'PRAGMA table_list',
  'the journal': 'PRAGMA journal_mode = DELETE',
  'the size of pages': 'PRAGMA page_size',
  'the count of pages': 'PRAGMA page_count',
  'a writable schema': 'PRAGMA writable_schema = ON',
  'a user version': 'PRAGMA user_version = 5',
  'an integrity check': 'PRAGMA integrity_check',
  'a quick check': 'PRAGMA quick_check',
  optimize: 'PRAGMA optimize',
  'case sensitive LIKE': 'PRAGMA case_sensitive_like = ON',
  'recursive triggers': 'PRAGMA recursive_triggers = ON',
  'legacy ALTER TABLE': 'PRAGMA legacy_alter_table = ON',
  'a checkpoint': 'PRAGMA wal_checkpoint',
  'the list of databases': 'PRAGMA database_list',
  'compile options': 'PRAGMA compile_options',
  'an unknown PRAGMA': 'PRAGMA unknown',
}

const execs: Record<string, unknown> = {
  nothing: '',
  'two lines': 'CREATE TABLE IF NOT EXISTS lines (a)\nINSERT INTO lines VALUES (1)',
  'two statements in a line': 'CREATE TABLE IF NOT EXISTS lines (a); INSERT INTO lines VALUES (1);',
  'a statement over two lines': 'SELECT\n1',
  'an error in the second line': 'INSERT INTO lines VALUES (2)\nINSERT INTO gone VALUES (1)',
  'a comment': '-- nothing\nSELECT 1',
  'only comments': '-- nothing',
  'an empty line': 'SELECT 1\n\nSELECT 2',
  'a number': 5,
  undefined: undefined,
}

const sessions: Record<string, unknown[]> = {
  nothing: [],
  null: [null],
  'the empty text': [''],
  spaces: ['  '],
  'first-primary': ['first-primary'],
  'first-unconstrained': ['first-unconstrained'],
  'a number': [5],
}

const people = [
  'DROP TABLE IF EXISTS posts',
  'DROP TABLE IF EXISTS people',
  'CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL)',
  'CREATE TABLE posts (id INTEGER PRIMARY KEY, person INTEGER REFERENCES people(id) ON DELETE CASCADE)',
  "INSERT INTO people VALUES (1, 'anna'), (2, 'bob')",
  'INSERT INTO posts VALUES (1, 1), (2, 1), (3, 2)',
]
const count = (table: string) => `SELECT count(*) AS n FROM ${table}`
const placeholders = (n: number) => Array(n).fill('?').join(',')

/** Every case by its name, in an order that later ones rely on. */
export const cases: Record<string, Case> = {
  'its class': db => [db.constructor.name, Object.keys(db), typeof db.prepare, String(db)],
  'its methods': db => Object.getOwnPropertyNames(Object.getPrototypeOf(db)).sort(),
  ...table(
    values,
    name => `bind() of ${name}`,
    value => db => db.prepare('SELECT ?1 AS v, typeof(?1) AS t').bind(value()).all(),
  ),
  ...table(
    statements,
    name => `all() of ${name}`,
    sql => db => db.prepare(sql).all(),
  ),
  'all() of 100,000 bytes': db => db.prepare(`SELECT length('${'x'.repeat(99_978)}') AS a`).all(),
  'all() of 100,001 bytes': db => db.prepare(`SELECT length('${'x'.repeat(99_979)}') AS a`).all(),
  'prepare() of a number': db => db.prepare(5 as unknown as string).all(),
  'prepare() of nothing': db => db.prepare(undefined as unknown as string).all(),
  '100 parameters': ask(`SELECT max(${placeholders(30)}) AS a, ${placeholders(70)}`, ...Array(100).fill(1)),
  '101 parameters': ask(`SELECT max(${placeholders(30)}) AS a, ${placeholders(71)}`, ...Array(101).fill(1)),
  'a parameter numbered 100': ask('SELECT ?100 AS a', ...Array(100).fill(1)),
  'a parameter numbered 101': ask('SELECT ?101 AS a', ...Array(101).fill(1)),
  'a named parameter': ask('SELECT :name AS a', 1),
  'parameters out of order': ask('SELECT ?2 AS a, ?1 AS b', 1, 2),
  'too few parameters': ask('SELECT ?, ?', 1),
  'too many parameters': ask('SELECT ?', 1, 2),
  'no parameters at all': db => db.prepare('SELECT ? AS a').all(),
  'bind() twice': db => db.prepare('SELECT ? AS a').bind(1).bind(2).all(),
  'a table of 100 columns': after(['DROP TABLE IF EXISTS wide'], ask(`CREATE TABLE wide (${columns(100)})`)),
  'a table of 101 columns': ask(`CREATE TABLE wider (${columns(101)})`),
  'a value of 2 MB': after(
    ['DROP TABLE IF EXISTS large', 'CREATE TABLE large (v)'],
    ask('INSERT INTO large VALUES (?) RETURNING length(v) AS n', 'x'.repeat(2_000_000)),
  ),
  'a value of 2.2 MB': ask('INSERT INTO large VALUES (?) RETURNING length(v) AS n', 'x'.repeat(2_200_000)),
  'a blob of 2 MB': ask('SELECT length(?) AS n', new Uint8Array(2_000_000)),
  'reading a value of 2 MB': async db =>
    ((await db.prepare('SELECT v FROM large').first<string>('v')) ?? '').length,

  'an insert': after(people, ask("INSERT INTO people (name) VALUES ('cleo')")),
  'run() of an insert': db => db.prepare("INSERT INTO people (name) VALUES ('dora')").run(),
  'run() of a query': db => db.prepare('SELECT * FROM people').run(),
  'an insert that returns': ask("INSERT INTO people (name) VALUES ('eve') RETURNING id, name"),
  'an insert or ignore': ask("INSERT OR IGNORE INTO people (name) VALUES ('eve')"),
  'an upsert': ask("INSERT INTO people (name) VALUES ('eve') ON CONFLICT (name) DO UPDATE SET name = 'eva'"),
  'a unique constraint': ask("INSERT INTO people (name) VALUES ('anna')"),
  'a not null constraint': ask('INSERT INTO people (name) VALUES (NULL)'),
  'a primary key constraint': ask("INSERT INTO people VALUES (1, 'x')"),
  'a foreign key constraint': ask('INSERT INTO posts VALUES (9, 99)'),
  'an update': ask("UPDATE people SET name = name || '!' WHERE id > 1"),
  'an update of nothing': ask("UPDATE people SET name = 'x' WHERE id = 99"),
  'a delete that cascades': ask('DELETE FROM people WHERE id = 1'),
  'what the cascade left': ask('SELECT * FROM posts ORDER BY id'),
  'a trigger': after(
    [
      'CREATE TRIGGER posted AFTER INSERT ON posts BEGIN UPDATE people SET name = CASE WHEN 1 THEN upper(name) END; END',
    ],
    ask('INSERT INTO posts VALUES (10, 2)'),
  ),
  'creating an index': ask('CREATE INDEX posts_by_person ON posts (person)'),
  'altering a table': ask("ALTER TABLE posts ADD COLUMN title TEXT DEFAULT 'none'"),
  'dropping a table': ask('DROP TABLE posts'),
  'a strict table': after(
    ['CREATE TABLE strict_one (a INTEGER) STRICT'],
    ask("INSERT INTO strict_one VALUES ('x')"),
  ),
  'a check': after(['CREATE TABLE checked (a CHECK (a > 0))'], ask('INSERT INTO checked VALUES (0)')),
  'a generated column': after(
    ['CREATE TABLE generated (a, b AS (a * 2) STORED)', 'INSERT INTO generated (a) VALUES (4)'],
    ask('SELECT * FROM generated'),
  ),
  'RAISE() in a trigger': after(
    ["CREATE TRIGGER refused BEFORE INSERT ON checked BEGIN SELECT RAISE(ABORT, 'not now'); END"],
    ask('INSERT INTO checked VALUES (1)'),
  ),
  'full text search': after(
    ["INSERT INTO search VALUES ('the quick fox'), ('a slow snail')"],
    ask("SELECT text FROM search WHERE search MATCH 'quick'"),
  ),

  'first()': after(people, db => db.prepare('SELECT * FROM people ORDER BY id').first()),
  'first() of no row': db => db.prepare('SELECT * FROM people WHERE 0').first(),
  'first() of a column': db => db.prepare('SELECT * FROM people ORDER BY id').first('name'),
  'first() of a column of no row': db => db.prepare('SELECT * FROM people WHERE 0').first('name'),
  'first() of a missing column': db => db.prepare('SELECT * FROM people').first('gone'),
  'first() of a null': db => db.prepare('SELECT NULL AS a').first('a'),
  'first() of a bad statement': db => db.prepare('SELECT').first(),
  'raw()': db => db.prepare('SELECT * FROM people ORDER BY id').raw(),
  'raw() with names': db => db.prepare('SELECT * FROM people ORDER BY id').raw({ columnNames: true }),
  'raw() of no row, with names': db => db.prepare('SELECT * FROM people WHERE 0').raw({ columnNames: true }),
  'raw() of no row': db => db.prepare('SELECT * FROM people WHERE 0').raw(),
  'raw() of columns of one name': db => db.prepare('SELECT 1 AS a, 2 AS a').raw({ columnNames: true }),
  'raw() of an insert': db => db.prepare("INSERT INTO people (name) VALUES ('fritz')").raw(),
  'raw() of a blob': db => db.prepare("SELECT x'0102' AS a").raw(),
  'raw() of a bad statement': db => db.prepare('SELECT').raw(),

  'batch()': after(people, db =>
    db.batch([
      db.prepare('INSERT INTO people (name) VALUES (?)').bind('gina'),
      db.prepare('SELECT name FROM people ORDER BY id'),
      db.prepare("UPDATE people SET name = 'x' WHERE id = 1"),
    ]),
  ),
  'batch() of nothing': db => db.batch([]),
  'batch() of one statement twice': db => {
    const statement = db.prepare(count('people'))
    return db.batch([statement, statement])
  },
  'batch() with a failing statement': db =>
    db.batch([
      db.prepare("INSERT INTO people (name) VALUES ('lost')"),
      db.prepare("INSERT INTO people (name) VALUES ('gina')"),
    ]),
  'what that batch left': ask("SELECT count(*) AS n FROM people WHERE name = 'lost'"),
  'batch() with a table and a failing statement': db =>
    db.batch([db.prepare('CREATE TABLE undone (a)'), db.prepare('SELECT * FROM gone')]),
  'the table of that batch': ask('SELECT * FROM undone'),
  'batch() with deferred foreign keys': db =>
    db.batch([
      db.prepare('PRAGMA defer_foreign_keys = ON'),
      db.prepare('INSERT INTO posts VALUES (50, 60)'),
      db.prepare("INSERT INTO people VALUES (60, 'late')"),
    ]),
  'batch() with foreign keys that stay broken': db =>
    db.batch([db.prepare('PRAGMA defer_foreign_keys = ON'), db.prepare('INSERT INTO posts VALUES (51, 61)')]),
  'what the broken batch left': ask('SELECT count(*) AS n FROM posts WHERE id = 51'),
  'batch() with a comment': db => db.batch([db.prepare('-- nothing'), db.prepare('SELECT 1 AS a')]),
  'batch() of only comments': db => db.batch([db.prepare('-- nothing')]),
  'batch() of texts': db => db.batch(['SELECT 1'] as never),
  'batch() of no array': db => db.batch('SELECT 1' as never),
  'batch() with wrong parameters': db =>
    db.batch([db.prepare('SELECT 1'), db.prepare('SELECT ?').bind(1, 2)]),

  ...table(
    execs,
    name => `exec() of ${name}`,
    sql => db => db.exec(sql as string),
  ),
  'what exec() left': ask(count('lines')),

  ...table(
    sessions,
    name => `withSession() of ${name}`,
    args => async db => {
      const session = (
        db as unknown as Record<string, (...args: unknown[]) => D1DatabaseSession>
      ).withSession?.(...args) as D1DatabaseSession
      const before = session.getBookmark()
      const answer = await session.prepare('SELECT 1 AS a').all()
      const middle = session.getBookmark()
      await session.batch([session.prepare('CREATE TABLE IF NOT EXISTS session (a)')])
      const last = session.getBookmark()
      return [before, answer.results, typeof middle, (middle ?? '') <= (last ?? ''), Object.keys(session)]
    },
  ),
  'a session that goes on from a bookmark': async db => {
    const first = db.withSession()
    await first.prepare('SELECT 1').all()
    const bookmark = first.getBookmark() ?? ''
    const second = db.withSession(bookmark)
    const held = second.getBookmark() === bookmark
    return [held, await second.prepare('SELECT 2 AS a').raw(), (second.getBookmark() ?? '') >= bookmark]
  },
  'a session has no exec()': db => see(() => (db.withSession() as unknown as Db).exec?.('SELECT 1')),
  'dump()': db => db.dump(),
  'query()': db => db.query?.({ queries: [{ sql: 'SELECT 1' }] }),

  'many at once': async db => {
    await db.exec(
      'CREATE TABLE IF NOT EXISTS counter (n); DELETE FROM counter; INSERT INTO counter VALUES (0)',
    )
    await Promise.all(Array.from({ length: 30 }, () => db.prepare('UPDATE counter SET n = n + 1').run()))
    return db.prepare('SELECT n FROM counter').first('n')
  },
}

function columns(n: number): string {
  return Array.from({ length: n }, (_, i) => `c${i}`).join(', ')
}

function table<T>(rows: Record<string, T>, name: (key: string) => string, run: (row: T) => Case) {
  return Object.fromEntries(Object.entries(rows).map(([key, row]) => [name(key), run(row)]))
}
