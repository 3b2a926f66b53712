import { describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { answering, createWorker } from './support/project.ts'

const hosts = await openFirstHost('versions')

describe.each(hosts)('wrangler versions on `npm $kind`', platform => {
  const run = async (dir: string, ...args: string[]) => {
    const finished = await platform.wrangler(args, { cwd: dir })
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const versionIn = (output: string) => /Version ID: ([0-9a-f-]{36})/.exec(output)?.[1] ?? ''
  const upload = async (name: string, text: string) =>
    (await platform.upload(name, answering(text))).deployment_id

  test('upload adds a version that answers on its preview host and nowhere else', async () => {
    const project = createWorker('preview', answering('one'))
    await run(project.dir, 'deploy')
    project.write({ 'src/index.ts': answering('two') })
    const output = await run(project.dir, 'versions', 'upload', '--message', 'the second', '--tag', 'v2')
    const id = versionIn(output)
    const host = `${id.slice(0, 8)}-preview.${platform.domain}`
    expect(output).toContain(host)
    expect(await platform.read('preview')).toBe('one')
    expect(await (await platform.fetch(`${host}:${platform.port}`)).text()).toBe('two')

    const list = JSON.parse(await run(project.dir, 'versions', 'list', '--json'))
    expect(list).toHaveLength(2)
    expect(list[1]).toMatchObject({
      id,
      annotations: { 'workers/message': 'the second', 'workers/tag': 'v2' },
    })
    const view = JSON.parse(await run(project.dir, 'versions', 'view', id, '--json'))
    expect(view).toMatchObject({
      id,
      resources: { script: { handlers: ['fetch'] }, script_runtime: { compatibility_date: '2026-11-01' } },
    })
  })

  test('an unknown preview host answers 404', async () => {
    await upload('previewless', 'here')
    const response = await platform.fetch(`00000000-previewless.${platform.domain}:${platform.port}`)
    expect(response.status).toBe(404)
    expect(await response.json()).toMatchObject({ code: 'ERR_ROUTE_NOT_FOUND' })
  })

  test('deploy splits traffic by percentage, and rollback takes effect for the very next request', async () => {
    const a = await upload('split', 'a')
    const b = await upload('split', 'b')
    const project = createWorker('split', '')
    await run(project.dir, 'versions', 'deploy', `${a}@90%`, `${b}@10%`, '-y', '--message', 'careful')

    const counts = { a: 0, b: 0 }
    for (let round = 0; round < 40; round++) {
      const texts = await Promise.all(Array.from({ length: 25 }, () => platform.read('split')))
      for (const text of texts) counts[text as 'a' | 'b']++
    }
    expect(counts.a + counts.b).toBe(1000)
    // Binomial(1000, 0.1): standard deviation 9.49; one run in a million is further off than 4.9 of them.
    expect(Math.abs(counts.b - 100)).toBeLessThanOrEqual(46.5)

    const deployments = JSON.parse(await run(project.dir, 'deployments', 'list', '--json'))
    expect(deployments.at(-1)).toMatchObject({
      annotations: { 'workers/message': 'careful' },
      versions: [
        { version_id: a, percentage: 90 },
        { version_id: b, percentage: 10 },
      ],
    })
    const status = await run(project.dir, 'deployments', 'status')
    expect(status).toMatch(new RegExp(`90%[\\s\\S]*${a}[\\s\\S]*10%[\\s\\S]*${b}`))

    await run(project.dir, 'versions', 'deploy', `${b}@100%`, '-y')
    expect(await platform.read('split')).toBe('b')
    await run(project.dir, 'rollback', a, '--message', 'back', '-y')
    const after = await Promise.all(Array.from({ length: 50 }, () => platform.read('split')))
    expect(new Set(after)).toEqual(new Set(['a']))
  })

  test('rollback without a version goes back to the deployment before', async () => {
    const project = createWorker('back', answering('old'))
    await run(project.dir, 'deploy')
    project.write({ 'src/index.ts': answering('new') })
    await run(project.dir, 'deploy')
    expect(await platform.read('back')).toBe('new')
    await run(project.dir, 'rollback', '-y')
    expect(await platform.read('back')).toBe('old')
  })

  test('deploy refuses a version that does not exist, and changes nothing', async () => {
    const id = await upload('steady', 'here')
    const unknown = '00000000-0000-4000-8000-000000000000'
    const project = createWorker('steady', '')
    const { code, all } = await platform.wrangler(['versions', 'deploy', `${unknown}@100%`, '-y'], {
      cwd: project.dir,
    })
    expect(code).toBe(1)
    expect(all).toContain(unknown)
    const { result } = await platform.api('GET', '$A/workers/scripts/steady/deployments')
    expect(result).toMatchObject({ deployments: [{ versions: [{ version_id: id, percentage: 100 }] }] })
  })

  test('secret put, bulk, list and delete make versions that get no traffic until deployed', async () => {
    const source = 'export default { fetch: (_, env) => Response.json([env.A, env.B, env.C]) }'
    await platform.upload('quiet', source)
    const project = createWorker('quiet', source)
    const cwd = project.dir
    const put = await platform.wrangler(['versions', 'secret', 'put', 'A'], { cwd, stdin: 'alpha' })
    expect(put.code, put.all).toBe(0)
    const bulk = await platform.wrangler(['versions', 'secret', 'bulk'], {
      cwd,
      stdin: '{"B":"beta","C":"gamma"}',
    })
    expect(bulk.code, bulk.all).toBe(0)
    const listed = await run(cwd, 'versions', 'secret', 'list', '--latest-version')
    expect(listed).toMatch(/A[\s\S]*B[\s\S]*C/)
    expect(listed).not.toMatch(/alpha|beta|gamma/)
    const deleted = await run(cwd, 'versions', 'secret', 'delete', 'C')
    expect(await platform.read('quiet')).toBe('[null,null,null]')

    const { result } = await platform.api<{ items: { id: string }[] }>(
      'GET',
      '$A/workers/scripts/quiet/versions',
    )
    expect(result.items).toHaveLength(4)
    const latest = result.items[0]?.id ?? ''
    expect(deleted).toContain(latest)
    await run(cwd, 'versions', 'deploy', `${latest}@100%`, '-y')
    expect(await platform.read('quiet')).toBe('["alpha","beta",null]')
  })
})
