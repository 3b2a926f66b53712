import { describe, expect, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { findInFiles } from './support/files.ts'
import { openFirstHost } from './support/hosts.ts'
import { createWorker } from './support/project.ts'

const hosts = await openFirstHost('secrets')
const SHOW = 'export default { fetch: (_, env) => Response.json(env) }'

describe.each(hosts)('wrangler secret on `npm $kind`', platform => {
  test('put, list, bulk and delete change what the next request sees', async () => {
    const { dir: cwd } = createWorker('keeper', SHOW)
    await platform.upload('keeper', SHOW)
    const run = async (args: string[], stdin?: string) => {
      const finished = await platform.wrangler(['secret', ...args], {
        cwd,
        ...(stdin !== undefined && { stdin }),
      })
      expect(finished.code, finished.all).toBe(0)
      return finished.stdout
    }
    await run(['put', 'ONE'], 'first value')
    expect(JSON.parse(await platform.read('keeper'))).toEqual({ ONE: 'first value' })
    await run(['put', 'ONE'], 'second value')
    expect(JSON.parse(await platform.read('keeper'))).toEqual({ ONE: 'second value' })

    await run(['bulk'], JSON.stringify({ TWO: 'zwei', THREE: 'drei\nZeilen €' }))
    expect(JSON.parse(await platform.read('keeper'))).toEqual({
      ONE: 'second value',
      TWO: 'zwei',
      THREE: 'drei\nZeilen €',
    })
    const names = (text: string) => (JSON.parse(text) as { name: string }[]).map(({ name }) => name).sort()
    expect(names(await run(['list']))).toEqual(['ONE', 'THREE', 'TWO'])

    await run(['bulk'], JSON.stringify({ TWO: null, FOUR: 'vier' }))
    await run(['delete', 'THREE'])
    expect(names(await run(['list']))).toEqual(['FOUR', 'ONE'])
    expect(JSON.parse(await platform.read('keeper'))).toEqual({ ONE: 'second value', FOUR: 'vier' })
  })

  test('put on a Worker that does not exist makes a draft, which a deploy then fills', async () => {
    const project = createWorker('early', SHOW)
    const put = await platform.wrangler(['secret', 'put', 'EARLY'], { cwd: project.dir, stdin: 'bird' })
    expect(put.code, put.all).toBe(0)
    const deployed = await platform.wrangler(['deploy'], { cwd: project.dir })
    expect(deployed.code, deployed.all).toBe(0)
    expect(JSON.parse(await platform.read('early'))).toEqual({ EARLY: 'bird' })
  })

  test('delete of a secret that is not there says so', async () => {
    const { dir } = createWorker('missing', SHOW)
    await platform.upload('missing', SHOW)
    const { code, all } = await platform.wrangler(['secret', 'delete', 'NOPE'], { cwd: dir })
    expect(code).toBe(1)
    expect(all).toContain('NOPE')
  })

  test('a value can be read by the function alone: not through the API, not from the disk', async () => {
    const value = `plain-text-${crypto.randomUUID()}`
    await platform.upload('vault', SHOW)
    await platform.api('PUT', '$A/workers/scripts/vault/secrets', {
      name: 'S',
      text: value,
      type: 'secret_text',
    })
    const inline = [{ type: 'secret_text', name: 'INLINE', text: value }]
    await platform.upload('vault', SHOW, { bindings: inline, keep_bindings: ['secret_text'] })
    expect(JSON.parse(await platform.read('vault'))).toEqual({ S: value, INLINE: value })

    const answers = await Promise.all(
      (await readable(platform, 'vault')).map(path => readRaw(platform, path)),
    )
    expect(answers.filter(text => text.includes('"S"')).length).toBeGreaterThan(2)
    expect(answers.join('\n')).not.toContain(value)
    expect(findInFiles(platform.dataDir, value)).toEqual([])
  })
})

/** Every path that shows something of a script. */
async function readable(platform: Platform, script: string): Promise<string[]> {
  const base = `/client/v4/accounts/${platform.accountId}/workers`
  const { result } = await platform.api<{ items: { id: string }[] }>(
    'GET',
    `$A/workers/scripts/${script}/versions`,
  )
  const nouns = [
    '',
    '/settings',
    '/script-settings',
    '/secrets',
    '/secrets/S',
    '/versions',
    '/deployments',
    '/schedules',
  ]
  return [
    ...nouns.map(noun => `${base}/scripts/${script}${noun}`),
    ...result.items.map(({ id }) => `${base}/scripts/${script}/versions/${id}`),
    `${base}/scripts`,
    `${base}/services/${script}`,
    `${base}/services/${script}/environments/production/bindings`,
    `${base}/workers/${script}`,
    `/api/v1/accounts/${platform.accountId}/scripts/${script}`,
  ]
}

async function readRaw(platform: Platform, path: string): Promise<string> {
  const headers = { authorization: `Bearer ${platform.token}` }
  const response = await platform.fetch(`127.0.0.1:${platform.port}`, path, { headers })
  return response.text()
}
