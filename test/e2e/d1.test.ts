import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { createProject } from './support/project.ts'

const hosts = await openFirstHost('d1')

const SOURCE = `export default {
  async fetch(request, env) {
    try {
      const { batch } = await request.json()
      const results = await env.DB.batch(batch.map(({ sql, params = [] }) => env.DB.prepare(sql).bind(...params)))
      return Response.json(results.map(({ results }) => results))
    } catch (error) {
      return Response.json({ error: error.message })
    }
  },
}`

describe.each(hosts)('D1 on `npm $kind`', platform => {
  const wrangler = async (cwd: string, ...args: string[]) => {
    const finished = await platform.wrangler(['d1', ...args], { cwd })
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const fails = async (cwd: string, ...args: string[]) => {
    const finished = await platform.wrangler(['d1', ...args], { cwd })
    expect(finished.code, finished.all).toBe(1)
    return finished.all
  }
  const create = async (name: string) =>
    (await platform.api<{ uuid: string }>('POST', '$A/d1/database', { name })).result.uuid
  /** What a function that is bound to a database gets. */
  const bound = async (script: string, ...sql: string[]) => {
    const batch = sql.map(text => ({ sql: text }))
    return JSON.parse(await platform.read(script, '/', { method: 'POST', body: JSON.stringify({ batch }) }))
  }
  const deploy = (script: string, id: string) =>
    platform.upload(script, SOURCE, { bindings: [{ type: 'd1', name: 'DB', id }] })

  test('wrangler d1 create, list, info and delete', async () => {
    const { dir } = createProject({})
    expect(await wrangler(dir, 'create', 'notes')).toMatch(/"database_id": "[0-9a-f-]{36}"/)
    expect(await fails(dir, 'create', 'notes')).toContain('A database with that name already exists')
    expect(await fails(dir, 'create', 'no spaces')).toContain('Invalid property: name')

    const list = JSON.parse(await wrangler(dir, 'list', '--json')) as { name: string; uuid: string }[]
    const listed = list.find(({ name }) => name === 'notes')
    expect(listed).toEqual({
      uuid: expect.stringMatching(/^[0-9a-f-]{36}$/),
      name: 'notes',
      created_at: expect.any(String),
      version: 'production',
    })
    expect(JSON.parse(await wrangler(dir, 'info', 'notes', '--json'))).toMatchObject({
      uuid: listed?.uuid,
      num_tables: 0,
    })
    const sizes = await platform.v1<{ name: string; file_size: number }[]>('GET', '$A/d1')
    expect(sizes.body.find(({ name }) => name === 'notes')?.file_size).toEqual(expect.any(Number))

    await wrangler(dir, 'delete', 'notes', '-y')
    expect(JSON.parse(await wrangler(dir, 'list', '--json'))).not.toContainEqual(listed)
    expect(await fails(dir, 'info', 'notes')).toContain("Couldn't find a D1 DB with name")
  })

  test('wrangler d1 execute by command and by file, and export', async () => {
    await create('shop')
    const sql = `-- the shop
      PRAGMA defer_foreign_keys=TRUE;
      CREATE TABLE items (id INTEGER PRIMARY KEY, name TEXT, owner INTEGER REFERENCES owners(id));
      CREATE TABLE owners (id INTEGER PRIMARY KEY);
      INSERT INTO items VALUES (1, 'a;b -- c', 1);
      INSERT INTO owners VALUES (1);
      CREATE TRIGGER bought AFTER UPDATE ON items BEGIN INSERT INTO owners (id) VALUES (new.id + 100); END;`
    const { dir } = createProject({
      'shop.sql': sql,
      'bad.sql': 'CREATE TABLE half (a);\nINSERT INTO gone VALUES (1);',
    })
    const execute = ['execute', 'shop', '--remote', '-y']
    const byFile = JSON.parse(
      (await wrangler(dir, ...execute, '--file', 'shop.sql', '--json')).replace(/^[^[]*/, ''),
    )
    expect(byFile[0].results[0]).toMatchObject({ 'Total queries executed': 6 })

    const byCommand = JSON.parse(
      await wrangler(
        dir,
        ...execute,
        '--json',
        '--command',
        "UPDATE items SET name = 'x'; SELECT * FROM owners; SELECT * FROM items",
      ),
    )
    expect(byCommand.map(({ results }: { results: unknown }) => results)).toEqual([
      [],
      [{ id: 1 }, { id: 101 }],
      [{ id: 1, name: 'x', owner: 1 }],
    ])
    expect(await fails(dir, ...execute, '--command', 'SELECT * FROM gone')).toContain(
      'no such table: gone: SQLITE_ERROR',
    )
    expect(await fails(dir, ...execute, '--file', 'bad.sql')).toContain('no such table: gone: SQLITE_ERROR')
    expect(await fails(dir, ...execute, '--command', 'SELECT * FROM half')).toContain('no such table: half')

    await wrangler(dir, 'export', 'shop', '--remote', '-y', '--output', 'out.sql')
    const exported = readFileSync(join(dir, 'out.sql'), 'utf8')
    expect(exported).toContain(`INSERT INTO "items" ("id","name","owner") VALUES(1,'x',1);`)
    await create('copy')
    await wrangler(dir, 'execute', 'copy', '--remote', '-y', '--file', 'out.sql')
    await wrangler(dir, 'export', 'copy', '--remote', '-y', '--output', 'again.sql')
    expect(readFileSync(join(dir, 'again.sql'), 'utf8')).toBe(exported)
    expect(await fails(dir, 'time-travel', 'info', 'shop')).toContain(
      'Time Travel is not available on this host',
    )
  })

  test('wrangler d1 migrations create, list and apply: each is all or nothing', async () => {
    const id = await create('migrated')
    const { dir } = createProject({
      'wrangler.json': {
        name: 'any',
        d1_databases: [{ binding: 'DB', database_name: 'migrated', database_id: id }],
      },
      'migrations/0001_people.sql': `CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT);\nINSERT INTO people VALUES (1, 'anna');`,
      'migrations/0002_broken.sql': 'CREATE TABLE more (a);\nINSERT INTO gone VALUES (1);',
    })
    expect(await wrangler(dir, 'migrations', 'list', 'migrated', '--remote')).toContain('0002_broken.sql')
    expect(await fails(dir, 'migrations', 'apply', 'migrated', '--remote')).toContain('no such table: gone')
    const { result } = await platform.api<{ results: unknown[] }[]>('POST', `$A/d1/database/${id}/query`, {
      sql: "SELECT name FROM d1_migrations; SELECT name FROM sqlite_schema WHERE name IN ('people', 'more')",
    })
    expect(result.map(({ results }) => results)).toEqual([
      [{ name: '0001_people.sql' }],
      [{ name: 'people' }],
    ])
    expect(await wrangler(dir, 'migrations', 'create', 'migrated', 'next')).toContain('0003_next.sql')
  })

  test('a function and the API see the same rows; another account sees none', async () => {
    const id = await create('shared')
    await deploy('d1-user', id)
    expect(
      await bound('d1-user', 'CREATE TABLE a (x)', 'INSERT INTO a VALUES (1)', 'SELECT * FROM a'),
    ).toEqual([[], [], [{ x: 1 }]])
    const query = (sql: string, params: unknown[] = [], of = platform) =>
      of.api<{ results: unknown }[]>('POST', `$A/d1/database/${id}/query`, { sql, params })
    expect((await query('SELECT x + ? AS y FROM a', [2])).result[0]?.results).toEqual([{ y: 3 }])
    const raw = await platform.api<{ results: unknown }[]>('POST', `$A/d1/database/${id}/raw`, {
      batch: [{ sql: 'SELECT x FROM a' }, { sql: 'SELECT ? AS p', params: ['q'] }],
    })
    expect(raw.result.map(({ results }) => results)).toEqual([
      { columns: ['x'], rows: [[1]] },
      { columns: ['p'], rows: [['q']] },
    ])

    const other = await platform.as('d1-other')
    expect(await query('SELECT * FROM a', [], other)).toMatchObject({
      status: 404,
      errors: [{ code: 7404 }],
    })
    // The same id names another database there.
    await other.upload('d1-user', SOURCE, { bindings: [{ type: 'd1', name: 'DB', id }] })
    const { results } =
      (await query("SELECT count(*) AS n FROM sqlite_schema WHERE name = 'a'", [], other)).result[0] ?? {}
    expect(results).toEqual([{ n: 0 }])
  })

  test('what a deploy names and the account lacks is made, and what was deleted stays gone', async () => {
    await deploy('d1-adopted', 'an-id-of-old')
    expect(await bound('d1-adopted', 'CREATE TABLE a (x)', 'SELECT 1 AS one')).toEqual([[], [{ one: 1 }]])
    expect((await platform.api('DELETE', '$A/d1/database/an-id-of-old')).success).toBe(true)
    expect(await bound('d1-adopted', 'SELECT 1')).toEqual({ error: 'D1_ERROR: The database was deleted.' })
    await deploy('d1-adopted', 'an-id-of-old')
    expect(await bound('d1-adopted', "SELECT count(*) AS n FROM sqlite_schema WHERE name = 'a'")).toEqual([
      [{ n: 0 }],
    ])
  })

  test.each([
    ['POST', '', { name: '' }, 7400],
    ['POST', '', { name: 'x'.repeat(256) }, 7400],
    ['POST', '', { name: 5 }, 7400],
    ['GET', '/none', undefined, 7404],
    ['DELETE', '/none', undefined, 7404],
    ['POST', '/none/query', { sql: 'SELECT 1' }, 7404],
    ['POST', '/$id/query', { sql: 5 }, 7500],
    ['POST', '/$id/query', {}, 7500],
    ['POST', '/$id/query', { sql: '-- nothing' }, 7500],
    ['POST', '/$id/query', { sql: 'SELECT 1; SELECT ?', params: [1] }, 7500],
    ['POST', '/$id/import', { action: 'init', etag: 'x' }, 7400],
    ['POST', '/$id/import', { action: 'other' }, 7400],
    ['POST', '/$id/export', { dump_options: { tables: 5 } }, 7500],
  ])('%s database%s with %j is refused with %i', async (method, path, body, code) => {
    const id = path.includes('$id') ? await create(`refused-${crypto.randomUUID()}`) : ''
    const answer = await platform.api(method, `$A/d1/database${path.replace('$id', id)}`, body)
    expect(answer).toMatchObject({ success: false, errors: [{ code }] })
  })

  test('a viewer may read what there is, and change nothing', async () => {
    const id = await create('viewed')
    const token = await platform.createToken('viewer')
    expect((await platform.api('GET', `$A/d1/database/${id}`, undefined, token)).success).toBe(true)
    for (const [method, path, body] of [
      ['POST', '', { name: 'new' }],
      ['POST', `/${id}/query`, { sql: 'SELECT 1' }],
      ['POST', `/${id}/import`, { action: 'init', etag: '0'.repeat(32) }],
      ['DELETE', `/${id}`, undefined],
    ] as const) {
      expect((await platform.api(method, `$A/d1/database${path}`, body, token)).status).toBe(403)
    }
  })

  test('the address of a file is good for that file only', async () => {
    const id = await create('files')
    const { result } = await platform.api<{ upload_url: string }>('POST', `$A/d1/database/${id}/import`, {
      action: 'init',
      etag: '0'.repeat(32),
    })
    const { pathname } = new URL(result.upload_url)
    const send = (path: string, method: string) =>
      platform.fetch(`127.0.0.1:${platform.port}`, path, {
        method,
        ...(method === 'PUT' && { body: 'SELECT 1' }),
      })
    expect((await send(pathname, 'PUT')).status).toBe(400)
    expect((await send(pathname.replace('/imports/', '/exports/'), 'GET')).status).toBe(403)
    // Not its last character: some bits of that mean nothing.
    const forged = pathname.replace(/.(?=.{9}$)/, digit => (digit === 'x' ? 'y' : 'x'))
    expect((await send(forged, 'PUT')).status).toBe(403)
    expect((await send('/api/v1/d1/exports/x', 'GET')).status).toBe(403)
  })
})
