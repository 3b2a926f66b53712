import { describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { createProject } from './support/project.ts'

const hosts = await openHosts('analytics')

const WRITER = `export default {
  fetch(request, env) {
    const { pathname } = new URL(request.url)
    const returned = env.EVENTS.writeDataPoint({ indexes: ['visit'], doubles: [1.5], blobs: [pathname, null] })
    return new Response(String(returned))
  },
}`

interface Dataset {
  readonly dataset: string
  readonly points: number
  readonly data?: readonly object[]
}

describe.each(hosts)('Analytics Engine on `npm $kind`', platform => {
  test('what a function deployed by wrangler writes is read at the API, by its account alone', async () => {
    const { dir } = createProject({
      'wrangler.json': {
        name: 'writer',
        main: 'index.js',
        compatibility_date: '2026-11-01',
        analytics_engine_datasets: [{ binding: 'EVENTS', dataset: 'visits' }],
      },
      'index.js': WRITER,
    })
    const deployed = await platform.wrangler(['deploy'], { cwd: dir })
    expect(deployed.code, deployed.all).toBe(0)
    const unknown = await platform.v1('GET', '$A/analytics/visits')
    expect(unknown).toMatchObject({ status: 404, body: { code: 'ERR_ANALYTICS_DATASET_NOT_FOUND' } })

    for (const path of ['/a', '/b']) expect(await platform.read('writer', path)).toBe('undefined')
    const dataset = async () => (await platform.v1<Dataset>('GET', '$A/analytics/visits?limit=1000')).body
    await expect.poll(async () => (await dataset()).points, { timeout: 10_000 }).toBe(2)
    const point = (path: string) => ({
      timestamp: expect.stringMatching(/^20\d\d-/),
      script: 'writer',
      index: 'visit',
      doubles: [1.5],
      blobs: [path, null],
    })
    expect((await dataset()).data).toEqual(expect.arrayContaining([point('/a'), point('/b')]))
    expect((await platform.v1<Dataset[]>('GET', '$A/analytics')).body).toEqual([
      expect.objectContaining({ dataset: 'visits', points: 2, kept: 2 }),
    ])

    const other = await platform.as('analytics-other')
    expect((await other.v1('GET', '$A/analytics')).body).toEqual([])
    for (const limit of ['0', '1001', 'x']) {
      expect((await platform.v1('GET', `$A/analytics/visits?limit=${limit}`)).status).toBe(400)
    }
  })
})
