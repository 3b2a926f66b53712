import { beforeAll, describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { answering, createWorker } from './support/project.ts'

const hosts = await openFirstHost('triggers')

const CLOCK = `export default {
  async fetch(request, env) { return new Response(await env.KV.get('ran')) },
  async scheduled(controller, env, ctx) {
    if (controller.cron === '0 0 1 1 *') throw new Error('not in January')
    ctx.waitUntil(env.KV.put('ran', controller.cron + ' ' + typeof controller.scheduledTime))
  },
}`

beforeAll(async () => {
  for (const platform of hosts) {
    const bindings = [{ type: 'kv_namespace', name: 'KV', namespace_id: `c10c${'0'.repeat(28)}` }]
    await platform.upload('minutely', CLOCK, { bindings })
    await platform.api('PUT', '$A/workers/scripts/minutely/schedules', [{ cron: '* * * * *' }])
  }
})

describe.each(hosts)('triggers on `npm $kind`', platform => {
  /** Host names are the whole platform's. */
  const zone = `triggers-${platform.kind}.example`
  const deploy = async (dir: string, ...args: string[]) => {
    const finished = await platform.wrangler(args.length > 0 ? args : ['deploy'], { cwd: dir })
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const get = async (host: string, path = '/') => {
    const response = await platform.fetch(host, path)
    return response.status === 200 ? response.text() : response.status
  }

  test('routes lead to the script by host and path, without any DNS', async () => {
    const config = {
      routes: [
        { pattern: `${zone}/api/*`, zone_name: zone },
        { pattern: `*.sub.${zone}/*`, zone_name: zone },
      ],
    }
    const { dir } = createWorker('routed', answering('routed'), config)
    const output = await deploy(dir)
    expect(output).toContain(`${zone}/api/*`)
    expect(await get(zone, '/api/')).toBe('routed')
    expect(await get(zone, '/api/deep?x')).toBe('routed')
    expect(await get(zone.toUpperCase(), '/api/')).toBe('routed')
    expect(await get(`${zone}:8080`, '/api/')).toBe('routed')
    expect(await get(zone, '/apiary')).toBe(404)
    expect(await get(zone, '/')).toBe(404)
    expect(await get(`a.sub.${zone}`)).toBe('routed')
    expect(await get(`a.b.sub.${zone}`)).toBe('routed')
    expect(await get(`sub.${zone}`)).toBe(404)
    // With routes, wrangler turns the script's own host off.
    expect((await platform.call('routed')).status).toBe(404)
  })

  test('the more specific route wins, and a custom domain takes what no route does', async () => {
    const of = (name: string, config: object) => createWorker(name, answering(name), config).dir
    await deploy(of('everything', { routes: [{ pattern: `shop.${zone}`, custom_domain: true }] }))
    await deploy(of('part', { routes: [{ pattern: `shop.${zone}/part/*`, zone_name: zone }] }))
    await deploy(of('deeper', { routes: [{ pattern: `shop.${zone}/part/deeper/*`, zone_name: zone }] }))
    expect(await get(`shop.${zone}`)).toBe('everything')
    expect(await get(`shop.${zone}`, '/part/1')).toBe('part')
    expect(await get(`shop.${zone}`, '/part/deeper/1')).toBe('deeper')
    const { result } = await platform.api<{ hostname: string }[]>('GET', '$A/workers/domains')
    expect(result).toContainEqual(
      expect.objectContaining({ hostname: `shop.${zone}`, service: 'everything' }),
    )
  })

  test('a deploy replaces the routes of the one before', async () => {
    const of = (pattern: string) =>
      createWorker('moving', answering('moving'), { routes: [{ pattern, zone_name: zone }] }).dir
    await deploy(of(`old.${zone}/*`))
    expect(await get(`old.${zone}`)).toBe('moving')
    await deploy(of(`new.${zone}/*`))
    expect([await get(`old.${zone}`), await get(`new.${zone}`)]).toEqual([404, 'moving'])
  })

  test('triggers deploy applies routes and crons without an upload', async () => {
    const project = createWorker('triggered', CLOCK, { kv_namespaces: [{ binding: 'KV' }] })
    await deploy(project.dir)
    const versions = await platform.api('GET', '$A/workers/scripts/triggered/versions')
    project.write({
      'wrangler.json': {
        ...{ name: 'triggered', main: 'src/index.ts', compatibility_date: '2026-11-01', workers_dev: true },
        kv_namespaces: [{ binding: 'KV' }],
        routes: [{ pattern: `triggered.${zone}/*`, zone_name: zone }],
        triggers: { crons: ['*/10 * * * *', '0 0 1 1 *', '0 12 L * *'] },
      },
    })
    await deploy(project.dir, 'triggers', 'deploy')
    const listed = await platform.api<{ schedules: { cron: string }[] }>(
      'GET',
      '$A/workers/scripts/triggered/schedules',
    )
    expect(listed.result.schedules.map(({ cron }) => cron)).toEqual([
      '*/10 * * * *',
      '0 0 1 1 *',
      '0 12 L * *',
    ])
    expect(await platform.api('GET', '$A/workers/scripts/triggered/versions')).toEqual(versions)
    expect(await get(`triggered.${zone}`)).toBe('')

    const ran = await platform.skerry(['cron', 'run', 'triggered', '*/10 * * * *'])
    expect(ran.code, ran.all).toBe(0)
    expect(await get(`triggered.${zone}`)).toBe('*/10 * * * * number')
    const failed = await platform.skerry(['cron', 'run', 'triggered', '0 0 1 1 *', '--json'])
    expect(failed.code).toBe(1)
    expect(JSON.parse(failed.stdout)).toMatchObject({ outcome: 'exception' })

    const cli = await platform.skerry(['cron', 'list', '--json'])
    expect(JSON.parse(cli.stdout)).toContainEqual(
      expect.objectContaining({ script: 'triggered', cron: '0 12 L * *' }),
    )
  })

  test('a bad cron fails the deploy of triggers, and leaves the old ones', async () => {
    const of = (cron: string) =>
      createWorker('badly-timed', CLOCK.replaceAll('env.KV', 'env'), { triggers: { crons: [cron] } }).dir
    await deploy(of('5 4 * * *'))
    const { code, all } = await platform.wrangler(['triggers', 'deploy'], { cwd: of('5 25 * * *') })
    expect(code).toBe(1)
    expect(all).toContain('5 25 * * *')
    const listed = await platform.api<{ schedules: { cron: string }[] }>(
      'GET',
      '$A/workers/scripts/badly-timed/schedules',
    )
    expect(listed.result.schedules.map(({ cron }) => cron)).toEqual(['5 4 * * *'])
  })
})

// The one that waits for the clock: last, as it was begun first.
test('a cron fires by itself each minute, on every host', { timeout: 90_000 }, async () => {
  for (const platform of hosts) {
    const ran = () => platform.read('minutely')
    await expect.poll(ran, { timeout: 75_000, interval: 500 }).toBe('* * * * * number')
  }
})
