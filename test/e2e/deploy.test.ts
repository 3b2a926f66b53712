import { describe, expect, test } from 'vitest'
import { openFirstHost } from './support/hosts.ts'
import { answering, createProject, createWorker } from './support/project.ts'

const hosts = await openFirstHost('deploy')

// The smallest module with an exported function `add`.
const ADD_WASM = Uint8Array.from(atob('AGFzbQEAAAABBwFgAn9/AX8DAgEABwcBA2FkZAAACgkBBwAgACABags='), char =>
  char.charCodeAt(0),
)

describe.each(hosts)('wrangler deploy to `npm $kind`', platform => {
  const deploy = (dir: string, ...args: string[]) => platform.wrangler(['deploy', ...args], { cwd: dir })

  test('puts a TypeScript project live, and prints where', async () => {
    const project = createProject({
      'wrangler.toml': 'name = "plain"\nmain = "src/index.ts"\ncompatibility_date = "2026-11-01"\n',
      'src/index.ts': `
        interface Env { readonly NAME?: string }
        export default {
          async fetch(request: Request, env: Env): Promise<Response> {
            return new Response(\`hello \${new URL(request.url).pathname} \${env.NAME ?? 'nobody'}\`)
          },
        } satisfies ExportedHandler<Env>`,
    })
    const { code, stdout } = await deploy(project.dir)
    expect(code).toBe(0)
    // wrangler leaves the port out.
    expect(stdout).toContain(`plain.${platform.domain}`)
    expect(stdout).toMatch(/Current Version ID: [0-9a-f-]{36}/)
    expect(await platform.read('plain', '/a?b')).toBe('hello /a nobody')
  })

  test('replaces the code at the next deploy, for the very next request', async () => {
    const project = createWorker('again', answering('first'))
    expect((await deploy(project.dir)).code).toBe(0)
    expect(await platform.read('again')).toBe('first')
    project.write({ 'src/index.ts': answering('second') })
    expect((await deploy(project.dir)).code).toBe(0)
    expect(await platform.read('again')).toBe('second')
  })

  test('deploys a project with KV of an unknown id, a secret, a cron and service bindings', async () => {
    const namespace = `5ca1ab1e${'0'.repeat(23)}${platform.kind === 'start' ? 1 : 2}`
    const backend = createWorker(
      'backend',
      `import { WorkerEntrypoint } from 'cloudflare:workers'
       export default { fetch: (request) => new Response('backend saw ' + new URL(request.url).pathname) }
       export class Calculator extends WorkerEntrypoint {
         async add(a: number, b: number) { return a + b }
       }`,
    )
    expect((await deploy(backend.dir)).code).toBe(0)
    const project = createWorker(
      'full',
      `export default {
         async fetch(request, env) {
           await env.STORE.put('k', 'kept')
           return Response.json({
             kv: await env.STORE.get('k'),
             secret: env.PASSWORD,
             http: await (await env.BACKEND.fetch('http://backend/path')).text(),
             rpc: await env.CALCULATOR.add(2, 3),
           })
         },
         async scheduled() {},
       }`,
      {
        kv_namespaces: [{ binding: 'STORE', id: namespace }],
        triggers: { crons: ['*/5 * * * *'] },
        services: [
          { binding: 'BACKEND', service: 'backend' },
          { binding: 'CALCULATOR', service: 'backend', entrypoint: 'Calculator' },
        ],
      },
    )
    const deployed = await deploy(project.dir)
    expect(deployed.code, deployed.all).toBe(0)
    expect(deployed.stdout).toContain('*/5 * * * *')
    const put = await platform.wrangler(['secret', 'put', 'PASSWORD'], {
      cwd: project.dir,
      stdin: 'open sesame',
    })
    expect(put.code).toBe(0)
    expect(JSON.parse(await platform.read('full'))).toEqual({
      kv: 'kept',
      secret: 'open sesame',
      http: 'backend saw /path',
      rpc: 5,
    })
    const { result } = await platform.api<{ id: string }[]>('GET', '$A/storage/kv/namespaces')
    expect(result.map(({ id }) => id)).toContain(namespace)

    expect((await deploy(project.dir)).code).toBe(0)
    expect(JSON.parse(await platform.read('full')), 'a deploy keeps secrets').toMatchObject({
      secret: 'open sesame',
    })
  })

  test('takes service-worker syntax, with variables as globals', async () => {
    const project = createProject({
      'wrangler.json': {
        name: 'classic',
        main: 'index.js',
        compatibility_date: '2022-01-01',
        vars: { GREETING: 'hi' },
      },
      'index.js': `addEventListener('fetch', event => event.respondWith(new Response(GREETING + ' from a script')))`,
    })
    const { code, all } = await deploy(project.dir)
    expect(code, all).toBe(0)
    expect(await platform.read('classic')).toBe('hi from a script')
  })

  test('takes modules of wasm, text and data', async () => {
    const project = createProject({
      'wrangler.json': { name: 'kinds', main: 'index.js', compatibility_date: '2026-11-01' },
      'index.js': `
        import wasm from './add.wasm'
        import text from './note.txt'
        import data from './data.bin'
        export default {
          async fetch() {
            const { exports } = await WebAssembly.instantiate(wasm)
            return Response.json([exports.add(40, 2), text, [...new Uint8Array(data)]])
          },
        }`,
      'add.wasm': ADD_WASM,
      'note.txt': 'grüße',
      'data.bin': Uint8Array.of(0, 255, 13, 10),
    })
    const { code, all } = await deploy(project.dir)
    expect(code, all).toBe(0)
    expect(await platform.read('kinds')).toBe('[42,"grüße",[0,255,13,10]]')
  })

  test('bundles npm dependencies, with Node modules under nodejs_compat', async () => {
    const project = createProject(
      {
        'wrangler.json': {
          name: 'npm',
          main: 'index.ts',
          compatibility_date: '2025-06-01',
          compatibility_flags: ['nodejs_compat'],
        },
        'index.ts': `
          import { Hono } from 'hono'
          import { createHash } from 'node:crypto'
          import { Buffer } from 'node:buffer'
          const app = new Hono()
          app.get('/hash/:text', c => c.text(createHash('sha256').update(Buffer.from(c.req.param('text'))).digest('hex')))
          export default app`,
      },
      ['hono'],
    )
    const { code, all } = await deploy(project.dir)
    expect(code, all).toBe(0)
    expect(await platform.read('npm', '/hash/abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
  })

  test('runs a Worker under the compatibility date it names: 2022-01-01', async () => {
    const project = createWorker(
      'old',
      `export default {
         async fetch(request, env) {
           return Response.json({ navigator: typeof navigator, importable: typeof env, kv: await env.STORE.get('absent') })
         },
       }`,
      { compatibility_date: '2022-01-01', kv_namespaces: [{ binding: 'STORE', id: `01d${'0'.repeat(29)}` }] },
    )
    const { code, all } = await deploy(project.dir)
    expect(code, all).toBe(0)
    // The global navigator came with 2022-03-21.
    expect(JSON.parse(await platform.read('old'))).toEqual({
      navigator: 'undefined',
      importable: 'object',
      kv: null,
    })
  })

  test('binds rate limits and the version’s metadata', async () => {
    const project = createWorker(
      'meta',
      `export default {
         async fetch(request, env) {
           const calls = []
           for (let i = 0; i < 3; i++) calls.push((await env.LIMITER.limit({ key: 'me' })).success)
           return Response.json({ calls, version: env.VERSION })
         },
       }`,
      {
        ratelimits: [{ name: 'LIMITER', namespace_id: '1', simple: { limit: 2, period: 60 } }],
        version_metadata: { binding: 'VERSION' },
      },
    )
    const { code, all, stdout } = await deploy(project.dir, '--tag', 'v1')
    expect(code, all).toBe(0)
    const { calls, version } = JSON.parse(await platform.read('meta'))
    expect(calls).toEqual([true, true, false])
    expect(version).toEqual({
      id: expect.any(String),
      tag: 'v1',
      timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    })
    expect(stdout).toContain(`Current Version ID: ${version.id}`)
  })

  test('deploys an environment of --env as a script of its own, with its own variables', async () => {
    const project = createWorker('envs', 'export default { fetch: (_, env) => new Response(env.STAGE) }', {
      vars: { STAGE: 'production' },
      env: { staging: { vars: { STAGE: 'staging' } } },
    })
    expect((await deploy(project.dir, '--env', 'staging')).code).toBe(0)
    expect(await platform.read('envs-staging')).toBe('staging')
    expect((await platform.call('envs')).status).toBe(404)
    expect((await deploy(project.dir, '--env=')).code).toBe(0)
    expect(await platform.read('envs')).toBe('production')
  })

  test('drops variables that the configuration no longer has, unless --keep-vars says not to', async () => {
    const source = 'export default { fetch: (_, env) => Response.json([env.TEXT, env.OBJECT, env.EXTRA]) }'
    const project = createWorker('vars', source, { vars: { TEXT: 'a', OBJECT: { deep: [1] } } })
    expect((await deploy(project.dir, '--var', 'EXTRA:from the command line')).code).toBe(0)
    expect(JSON.parse(await platform.read('vars'))).toEqual(['a', { deep: [1] }, 'from the command line'])

    project.write({
      'wrangler.json': {
        name: 'vars',
        main: 'src/index.ts',
        compatibility_date: '2026-11-01',
        vars: { TEXT: 'b' },
      },
    })
    expect((await deploy(project.dir, '--keep-vars')).code).toBe(0)
    expect(JSON.parse(await platform.read('vars'))).toEqual(['b', { deep: [1] }, 'from the command line'])
    expect((await deploy(project.dir)).code).toBe(0)
    expect(JSON.parse(await platform.read('vars'))).toEqual(['b', null, null])
  })

  test('provisions a KV namespace for a binding without id, once', async () => {
    const source = `export default {
      async fetch(_, env) {
        const count = Number(await env.COUNT.get('n')) + 1
        await env.COUNT.put('n', String(count))
        return new Response(String(count))
      },
    }`
    const project = createWorker('auto', source, { kv_namespaces: [{ binding: 'COUNT' }] })
    const first = await deploy(project.dir)
    expect(first.code, first.all).toBe(0)
    expect(await platform.read('auto')).toBe('1')
    const second = await deploy(project.dir)
    expect(second.code, second.all).toBe(0)
    expect(await platform.read('auto'), 'the same namespace').toBe('2')
    const { result } = await platform.api<{ title: string }[]>('GET', '$A/storage/kv/namespaces')
    expect(result.filter(({ title }) => title === 'auto-count')).toHaveLength(1)
  })

  test('uploads several modules as they are with no_bundle', async () => {
    const project = createProject({
      'wrangler.json': {
        name: 'unbundled',
        main: 'src/index.mjs',
        compatibility_date: '2026-11-01',
        no_bundle: true,
        find_additional_modules: true,
        rules: [
          { type: 'ESModule', globs: ['**/*.mjs'] },
          { type: 'Text', globs: ['**/*.txt'] },
        ],
      },
      'src/index.mjs': `
        import { shout } from './lib/shout.mjs'
        import note from './note.txt'
        export default { async fetch() { return new Response(shout(note) + (await import('./lib/late.mjs')).default) } }`,
      'src/lib/shout.mjs': 'export const shout = text => text.toUpperCase()',
      'src/lib/late.mjs': 'export default "!"',
      'src/note.txt': 'quiet',
    })
    const { code, all } = await deploy(project.dir)
    expect(code, all).toBe(0)
    expect(await platform.read('unbundled')).toBe('QUIET!')
  })

  test('prints a syntax error of the bundle with its place', async () => {
    const project = createWorker('unparsable', 'const a = 1\nconst b = = 2')
    const { code, all } = await deploy(project.dir)
    expect(code).toBe(1)
    expect(all).toMatch(/src\/index\.ts:2:10/)
    expect((await platform.api('GET', '$A/workers/scripts/unparsable/versions')).status).toBe(404)
  })

  test.each([
    {
      title: 'a syntax error that wrangler did not see',
      part: 'export const a = 1\nexport const b = = 2',
      message: /Uncaught SyntaxError: Unexpected token '='[\s\S]*part\.mjs:2/,
    },
    {
      title: 'an exception at the top level',
      part: 'export const a = 1\n\nthrow new TypeError("not today")',
      message: /Uncaught TypeError: not today[\s\S]*part\.mjs:3/,
    },
    {
      title: 'an import of what is not there',
      part: 'export { a } from "./nowhere.mjs"',
      message: /No such module "nowhere\.mjs"/,
    },
    {
      title: 'no handler',
      part: 'export const a = {}',
      main: 'export { a as default } from "./part.mjs"',
      message: /has no event handlers/,
    },
  ])('refuses $title with its place, and changes nothing', async ({ title, part, main, message }) => {
    const name = `broken-${title.replace(/\W+/g, '-')}`
    const project = createProject({
      'wrangler.json': {
        name,
        main: 'index.mjs',
        compatibility_date: '2026-11-01',
        no_bundle: true,
        find_additional_modules: true,
        rules: [{ type: 'ESModule', globs: ['**/*.mjs'] }],
      },
      'index.mjs': 'import { a } from "./part.mjs"\nexport default { fetch() { return new Response(a) } }',
      'part.mjs': 'export const a = "works"',
    })
    expect((await deploy(project.dir)).code).toBe(0)
    const before = await platform.api('GET', `$A/workers/scripts/${name}/versions`)
    project.write({ 'part.mjs': part, ...(main && { 'index.mjs': main }) })
    const { code, all } = await deploy(project.dir)
    expect(code).toBe(1)
    expect(all).toMatch(message)
    expect(await platform.read(name)).toBe('works')
    expect(await platform.api('GET', `$A/workers/scripts/${name}/versions`)).toEqual(before)
  })

  test('sends nothing with --dry-run', async () => {
    const project = createWorker('dry', answering('never'))
    expect((await deploy(project.dir, '--dry-run')).code).toBe(0)
    expect((await platform.call('dry')).status).toBe(404)
    expect((await platform.api('GET', '$A/workers/scripts/dry/versions')).status).toBe(404)
  })
})
