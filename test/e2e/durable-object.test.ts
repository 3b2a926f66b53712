import { describe, expect, test } from 'vitest'
import { type Platform, toUploadForm } from './support/client.ts'
import { openFirstHost } from './support/hosts.ts'
import { createProject, type Project } from './support/project.ts'

const hosts = await openFirstHost('objects')

/** A class of counters, and a function that counts in one of them: `/<name>`. */
const counter = (className: string, answer = '') => `
  import { DurableObject } from 'cloudflare:workers'
  export class ${className} extends DurableObject {
    async increment() {
      const count = ((await this.ctx.storage.get('count')) ?? 0) + 1
      await this.ctx.storage.put('count', count)
      return '${answer}' + count
    }
  }
  ${calling('OBJECTS')}`

const calling = (binding: string) => `
  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url)
      try {
        return new Response(await env.${binding}.get(env.${binding}.idFromName(pathname)).increment())
      } catch (error) {
        return new Response(error.message, { status: 500 })
      }
    },
  }`

const plain = (text = 'plain') => `export default { fetch: () => new Response('${text}') }`

interface Namespace {
  readonly id: string
  readonly name: string
  readonly script: string
  readonly class: string
  readonly use_sqlite: boolean
}

describe.each(hosts)('Durable Objects on `npm $kind`', platform => {
  const namespaces = async (script: string) => {
    const { result } = await platform.api<Namespace[]>('GET', '$A/workers/durable_objects/namespaces')
    return result.filter(namespace => namespace.script === script)
  }
  const objects = async (id: string) => {
    const path = `$A/workers/durable_objects/namespaces/${id}/objects`
    return (await platform.api<{ id: string; hasStoredData: boolean }[]>('GET', path)).result
  }
  const tag = async (script: string) => {
    const path = `$A/workers/services/${script}`
    type Service = { default_environment: { script: { migration_tag?: string } } }
    return (await platform.api<Service>('GET', path)).result.default_environment.script.migration_tag
  }

  test('wrangler deploys classes by migrations, keeps their objects, renames and deletes them', async () => {
    const project = createProject({})
    const deploy = (source: string, config: object) =>
      deployWorker(platform, project, 'moves', source, config)
    const v1 = { tag: 'v1', new_sqlite_classes: ['Counter'] }
    const first = await deploy(counter('Counter'), { ...bind('Counter'), migrations: [v1] })
    expect(first.code, first.all).toBe(0)
    expect(await platform.read('moves', '/a')).toBe('1')
    expect(await tag('moves')).toBe('v1')
    const [made] = await namespaces('moves')
    expect(made).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      name: 'moves_Counter',
      script: 'moves',
      class: 'Counter',
      use_sqlite: true,
    })
    expect(await objects(made?.id ?? '')).toEqual([
      { id: expect.stringMatching(/^[0-9a-f]{64}$/), hasStoredData: true },
    ])

    const again = await deploy(counter('Counter', 'again '), { ...bind('Counter'), migrations: [v1] })
    expect(again.code, again.all).toBe(0)
    expect(await platform.read('moves', '/a')).toBe('again 2')

    const v2 = { tag: 'v2', renamed_classes: [{ from: 'Counter', to: 'Tally' }] }
    const renamed = await deploy(counter('Tally'), { ...bind('Tally'), migrations: [v1, v2] })
    expect(renamed.code, renamed.all).toBe(0)
    expect(await platform.read('moves', '/a')).toBe('3')
    expect(await namespaces('moves')).toEqual([{ ...made, name: 'moves_Tally', class: 'Tally' }])
    expect(await tag('moves')).toBe('v2')

    const dropped = await deploy(plain(), { migrations: [v1, v2] })
    expect(dropped.code).toBe(1)
    expect(dropped.all).toContain("does not export class 'Tally' which is depended on")
    expect(dropped.all).toContain('[code: 10064]')

    const v3 = { tag: 'v3', deleted_classes: ['Tally'] }
    const deleted = await deploy(plain(), { migrations: [v1, v2, v3] })
    expect(deleted.code, deleted.all).toBe(0)
    expect(await namespaces('moves')).toEqual([])

    const v4 = { tag: 'v4', new_sqlite_classes: ['Tally'] }
    const anew = await deploy(counter('Tally'), { ...bind('Tally'), migrations: [v1, v2, v3, v4] })
    expect(anew.code, anew.all).toBe(0)
    expect(await platform.read('moves', '/a')).toBe('1')
    expect((await namespaces('moves'))[0]?.id).not.toBe(made?.id)
  })

  test('wrangler reconciles `exports`: creates, renames, transfers in two phases, deletes', async () => {
    const source = createProject({})
    const target = createProject({})
    const sqlite = { type: 'durable-object', storage: 'sqlite' }
    const at = async (project: Project, name: string, code: string, config: object) => {
      const finished = await deployWorker(platform, project, name, code, config)
      expect(finished.code, finished.all).toBe(0)
      return finished.stdout
    }
    const created = { ...bind('Old'), exports: { Old: sqlite } }
    expect(await at(source, 'giver', counter('Old'), created)).toContain('Created: Old')
    expect(await platform.read('giver', '/a')).toBe('1')
    const renamed = {
      ...bind('New'),
      exports: { New: sqlite, Old: { type: 'durable-object', state: 'renamed', renamed_to: 'New' } },
    }
    expect(await at(source, 'giver', counter('New'), renamed)).toContain('Renamed: Old → New')
    expect(await platform.read('giver', '/a')).toBe('2')

    const expecting = { ...sqlite, state: 'expecting-transfer', transfer_from: 'giver' }
    const pending = { ...bind('New'), exports: { New: expecting } }
    expect(await at(target, 'taker', counter('New', 'taken '), pending)).toContain(
      'Transfer pending: New ← giver',
    )
    expect(await platform.read('taker', '/a')).toBe('3')
    const given = {
      exports: { New: { type: 'durable-object', state: 'transferred', transferred_to: 'taker' } },
    }
    expect(await at(source, 'giver', plain(), given)).toContain('Transferred (committed): New → taker')
    expect(await platform.read('taker', '/a')).toBe('taken 4')

    const kept = { exports: { New: { type: 'durable-object', state: 'deleted' } } }
    const refused = await deployWorker(platform, target, 'taker', counter('New'), kept)
    expect(refused.code).toBe(1)
    expect(refused.all).toContain('[tombstone_delete_class_still_in_code]')
    expect(await at(target, 'taker', plain(), kept)).toContain('Deleted: New')
    expect(await namespaces('taker')).toEqual([])
  })

  test("a class of another script: bound by name, kept when that script's class is renamed or moves", async () => {
    const migrations = { new_tag: 'v1', new_sqlite_classes: ['Counter'] }
    await platform.upload('home', counter('Counter'), { bindings: [binding('Counter')], migrations })
    await platform.upload('guest', calling('THEIRS'), {
      bindings: [{ ...binding('Counter', 'THEIRS'), script_name: 'home' }],
    })
    expect(await platform.read('home', '/x')).toBe('1')
    expect(await platform.read('guest', '/x')).toBe('2')

    const [namespace] = await namespaces('home')
    const { result } = await platform.api<{ bindings: object[] }>('GET', '$A/workers/scripts/guest/settings')
    expect(result.bindings).toEqual([
      {
        ...binding('Counter', 'THEIRS'),
        script_name: 'home',
        namespace_id: namespace?.id,
      },
    ])

    await platform.upload('home', counter('Tally'), {
      bindings: [binding('Tally')],
      migrations: {
        old_tag: 'v1',
        new_tag: 'v2',
        steps: [{ renamed_classes: [{ from: 'Counter', to: 'Tally' }] }],
      },
    })
    expect(await platform.read('guest', '/x')).toBe('3')

    await platform.upload('heir', counter('Heir', 'heir '), {
      bindings: [binding('Heir')],
      migrations: {
        new_tag: 'v1',
        steps: [{ transferred_classes: [{ from: 'Tally', from_script: 'home', to: 'Heir' }] }],
      },
    })
    expect(await platform.read('guest', '/x')).toBe('heir 4')
    expect(await platform.read('heir', '/x')).toBe('heir 5')

    const bound = await platform.api('DELETE', '$A/workers/services/heir')
    expect(bound.errors[0]?.message).toContain('"guest" binds its Durable Objects')
    const forced = await platform.wrangler(['delete', '--name', 'heir', '--force'])
    expect(forced.code, forced.all).toBe(0)
    expect(await namespaces('heir')).toEqual([])
    expect((await platform.call('guest', '/x')).status).toBe(500)
  })

  test('the objects of a deleted script are deleted, and the CLI lists those there are', async () => {
    const migrations = { new_tag: 'v1', new_sqlite_classes: ['Counter'] }
    const upload = () =>
      platform.upload('short', counter('Counter'), { bindings: [binding('Counter')], migrations })
    await upload()
    for (const name of ['/a', '/b']) expect(await platform.read('short', name)).toBe('1')
    const [namespace] = await namespaces('short')
    const id = namespace?.id ?? ''
    const listed = await platform.skerry(['object', 'list', id, '--account', 'objects', '--json'])
    expect(listed.code, listed.all).toBe(0)
    expect(
      JSON.parse(listed.stdout)
        .map(({ name }: { name: string }) => name)
        .sort(),
    ).toEqual(['/a', '/b'])

    await platform.api('DELETE', '$A/workers/services/short')
    const gone = await platform.api('GET', `$A/workers/durable_objects/namespaces/${id}/objects`)
    expect(gone.errors[0]?.error_code).toBe('ERR_OBJECT_NAMESPACE_NOT_FOUND')
    await upload()
    expect(await platform.read('short', '/a')).toBe('1')
  })

  test('uploads that would lose or miss a class are refused, with the codes that tools know', async () => {
    const migrations = { new_tag: 'v1', new_sqlite_classes: ['Counter'] }
    await platform.upload('strict', counter('Counter'), { bindings: [binding('Counter')], migrations })
    const later = { old_tag: 'v1', new_tag: 'v2' }
    const refusals: [title: string, code: number, source: string, metadata: object][] = [
      ['a tag that is not the current one', 10079, plain(), { migrations: { ...later, old_tag: 'v0' } }],
      [
        'a class that is not exported',
        10070,
        counter('Counter'),
        { migrations: { ...later, new_classes: ['B'] } },
      ],
      [
        'a class that has objects',
        10074,
        counter('Counter'),
        { migrations: { ...later, new_classes: ['Counter'] } },
      ],
      [
        'a deletion of no class',
        10074,
        counter('Counter'),
        { migrations: { ...later, deleted_classes: ['B'] } },
      ],
      [
        'a deletion of a bound class',
        10061,
        plain(),
        { migrations: { ...later, deleted_classes: ['Counter'] }, bindings: [binding('Counter')] },
      ],
      ['a binding of no class', 10061, counter('Counter'), { bindings: [binding('B')] }],
      [
        'a binding of no script',
        10061,
        counter('Counter'),
        { bindings: [{ ...binding('Counter'), script_name: 'nobody' }] },
      ],
      ['code without the class', 10064, plain(), {}],
      [
        '`exports` without the class',
        100402,
        counter('Counter'),
        { exports: { B: { type: 'durable-object', state: 'deleted' } } },
      ],
    ]
    for (const [title, code, source, metadata] of refusals) {
      const answer = await platform.api('PUT', '$A/workers/scripts/strict', toUploadForm(source, metadata))
      expect([title, answer.errors[0]?.code]).toEqual([title, code])
    }
    expect(await platform.read('strict', '/a')).toBe('1')
    expect(await tag('strict')).toBe('v1')

    const uploadOnly = (metadata: object) => {
      const form = toUploadForm(counter('Counter'), { bindings: [binding('Counter')], ...metadata })
      return platform.api<{ id: string }>('POST', '$A/workers/scripts/strict/versions', form)
    }
    const pending = await uploadOnly({ migrations: { ...later, deleted_classes: ['B'] } })
    expect(pending.errors[0]?.code).toBe(10211)
    expect((await uploadOnly({})).success).toBe(true)
    expect(await platform.read('strict', '/a')).toBe('2')
  })

  test('a version from before a class had objects is not deployed again', async () => {
    const { deployment_id: first } = await platform.upload('back', plain())
    const migrations = { new_tag: 'v1', new_sqlite_classes: ['Counter'] }
    await platform.upload('back', counter('Counter'), { bindings: [binding('Counter')], migrations })
    const answer = await platform.api('POST', '$A/workers/scripts/back/deployments', {
      strategy: 'percentage',
      versions: [{ version_id: first, percentage: 100 }],
    })
    expect(answer.errors[0]?.code).toBe(10064)
    expect(await platform.read('back', '/a')).toBe('1')
  })
})

const binding = (className: string, name = 'OBJECTS') => ({
  type: 'durable_object_namespace',
  name,
  class_name: className,
})

const bind = (className: string) => ({
  durable_objects: { bindings: [{ name: 'OBJECTS', class_name: className }] },
})

function deployWorker(platform: Platform, project: Project, name: string, source: string, config: object) {
  project.write({
    'wrangler.json': { name, main: 'index.js', compatibility_date: '2026-11-01', ...config },
    'index.js': source,
  })
  return platform.wrangler(['deploy'], { cwd: project.dir })
}
