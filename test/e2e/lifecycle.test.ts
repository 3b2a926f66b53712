import { describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { answering, createWorker } from './support/project.ts'

const hosts = await openFirstHost('lifecycle')

describe.each(hosts)('wrangler on `npm $kind`', platform => {
  test('whoami names the accounts of the token', async () => {
    const { code, stdout } = await platform.wrangler(['whoami'])
    expect(code).toBe(0)
    expect(stdout).toContain('lifecycle')
    expect(stdout).toContain(platform.accountId)
    const json = await platform.wrangler(['whoami', '--json'])
    expect(JSON.parse(json.stdout)).toMatchObject({
      loggedIn: true,
      accounts: expect.arrayContaining([
        expect.objectContaining({ id: platform.accountId, name: 'lifecycle' }),
      ]),
    })
  })

  test('whoami with a token that nobody has fails', async () => {
    const { all } = await platform.wrangler(['whoami'], { env: { CLOUDFLARE_API_TOKEN: 'nonsense' } })
    expect(all).toMatch(/Invalid|Authentication|Unable|not authenticated/i)
    expect(all).not.toContain('lifecycle')
  })

  test('works with the three variables that `skerry env` prints, and nothing else', async () => {
    const printed = await platform.skerry(['env', '--json'])
    const { CLOUDFLARE_API_TOKEN, ...rest } = JSON.parse(printed.stdout)
    expect(printed.code, printed.all).toBe(0)
    expect(rest).toEqual({
      CLOUDFLARE_API_BASE_URL: `${platform.url}/client/v4`,
      CLOUDFLARE_ACCOUNT_ID: (await platform.as('default')).accountId,
    })
    expect(CLOUDFLARE_API_TOKEN).toBe(platform.token)
    const { dir } = createWorker('by-variables', answering('by variables'))
    const deployed = await platform.wrangler(['deploy'], { cwd: dir, env: JSON.parse(printed.stdout) })
    expect(deployed.code, deployed.all).toBe(0)
    expect(await (await platform.as('default')).read('by-variables')).toBe('by variables')
  })

  test('delete takes the script off the air with everything of its own; it can be deployed again', async () => {
    const project = createWorker(
      'mortal',
      'export default { fetch: (_, env) => Response.json(env), scheduled() {} }',
      { triggers: { crons: ['0 0 1 1 *'] }, vars: { LIFE: 'first' } },
    )
    const run = async (args: string[], stdin?: string) => {
      const finished = await platform.wrangler(args, {
        cwd: project.dir,
        ...(stdin !== undefined && { stdin }),
      })
      expect(finished.code, finished.all).toBe(0)
    }
    await run(['deploy'])
    await run(['secret', 'put', 'SOUL'], 'immortal?')
    expect(JSON.parse(await platform.read('mortal'))).toEqual({ LIFE: 'first', SOUL: 'immortal?' })
    await run(['delete'])

    expect((await platform.call('mortal')).status).toBe(404)
    for (const noun of ['', '/versions', '/deployments', '/schedules', '/secrets', '/settings']) {
      const answer = await platform.api('GET', `$A/workers/scripts/mortal${noun}`)
      expect([noun, answer.status, answer.errors[0]?.code]).toEqual([noun, 404, 10007])
    }
    const { result } = await platform.api<{ id: string }[]>('GET', '$A/workers/scripts')
    expect(result.map(({ id }) => id)).not.toContain('mortal')

    await run(['deploy'])
    expect(JSON.parse(await platform.read('mortal')), 'nothing of its former life').toEqual({ LIFE: 'first' })
    const versions = await platform.api<{ items: unknown[] }>('GET', '$A/workers/scripts/mortal/versions')
    expect(versions.result.items).toHaveLength(1)
  })

  test('delete of a script that does not exist says so', async () => {
    const { dir } = createWorker('never-was', answering(''))
    const { code, all } = await platform.wrangler(['delete'], { cwd: dir })
    expect(code).toBe(1)
    expect(all).toContain('does not exist')
  })

  test('a function whose service was deleted gets an error, not a stranger', async () => {
    await platform.upload('callee', answering('callee'))
    const bindings = [{ type: 'service', name: 'S', service: 'callee' }]
    const source = `export default { async fetch(request, env) {
      try { return new Response(await (await env.S.fetch('http://s/')).text()) } catch { return new Response('caught') }
    } }`
    await platform.upload('caller', source, { bindings })
    expect(await platform.read('caller')).toBe('callee')
    const { dir } = createWorker('callee', '')
    expect((await platform.wrangler(['delete', '--force'], { cwd: dir })).code).toBe(0)
    expect(await platform.read('caller')).not.toBe('callee')
    await platform.upload('callee', answering('reborn'))
    expect(await platform.read('caller')).toBe('reborn')
  })
})
