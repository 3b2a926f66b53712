import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { bundleModule, startWorkerd } from '../support/workerd.ts'

/**
 * Runs the public test suite for HTTP caches (https://github.com/http-tests/cache-tests) against the policy `cache`.
 *
 *     node test/conformance/cache-tests.ts <checkout of the suite> [--options '<JSON>'] [--id <test>] [--all]
 *
 * In the checkout, `npm install` first. The policy runs in workerd, in front of the suite's own server; nothing else is
 * in between. Options are those of the policy; without them its defaults.
 */

interface SuiteTest {
  readonly id: string
  readonly kind?: 'required' | 'optimal' | 'check'
  readonly name: string
  readonly browser_only?: boolean
  readonly depends_on?: readonly string[]
  dump?: boolean
}
interface Suite {
  readonly id: string
  readonly tests: readonly SuiteTest[]
}
type Result = true | readonly [kind: string, message: string]

const args = process.argv.slice(2)
const checkout = args[0]
if (!checkout || checkout.startsWith('--')) {
  console.error(
    "Usage: node test/conformance/cache-tests.ts <checkout> [--options '<JSON>'] [--id <test>] [--all]",
  )
  process.exit(2)
}
const optionOf = (name: string): string | undefined =>
  args.includes(name) ? args[args.indexOf(name) + 1] : undefined
const load = (path: string) => import(pathToFileURL(resolve(checkout, path)).href)

const port = await freePort()
const server = spawn(process.execPath, ['test-engine/server/server.mjs'], {
  cwd: checkout,
  env: {
    ...process.env,
    npm_config_port: String(port),
    npm_config_protocol: 'http',
    npm_config_pidfile: join(checkout, 'server.pid'),
  },
  stdio: ['ignore', 'pipe', 'inherit'],
})
await once(server.stdout, 'data')
const proxy = await startWorkerd({
  modules: { 'main.js': await bundleModule('test/worker/cache-proxy.ts') },
  bindings: [
    { name: 'ORIGIN', text: `http://127.0.0.1:${port}` },
    { name: 'OPTIONS', text: optionOf('--options') ?? '{}' },
  ],
  globalOutbound: 'origin',
  services: [{ name: 'origin', network: { allow: ['private'] } }],
})

try {
  const suites = ((await load('tests/index.mjs')).default as Suite[]).map(suite =>
    withOnly(suite, optionOf('--id')),
  )
  const runner = await load('test-engine/client/runner.mjs')
  await runner.runTests(suites, false, proxy.url)
  report(suites, runner.getResults() as Record<string, Result>)
} finally {
  await proxy.stop()
  server.kill()
}
if (proxy.log().includes('rror')) console.error(proxy.log().slice(0, 4000))
process.exit(0)

function withOnly(suite: Suite, id: string | undefined): Suite {
  if (id === undefined) return suite
  const tests = suite.tests.filter(test => test.id === id)
  for (const test of tests) test.dump = true
  return { ...suite, tests }
}

/** How many passed by kind; then what did not. A test whose setup failed, or one that it depends on, did not pass. */
function report(suites: readonly Suite[], results: Readonly<Record<string, Result>>): void {
  const tests = suites.flatMap(({ tests }) => tests).filter(({ browser_only }) => !browser_only)
  const byId = new Map(tests.map(test => [test.id, test]))
  const passes = (id: string): boolean =>
    results[id] === true && (byId.get(id)?.depends_on ?? []).every(needed => passes(needed))
  for (const kind of ['required', 'optimal', 'check'] as const) {
    const ofKind = tests.filter(test => (test.kind ?? 'required') === kind)
    const passed = ofKind.filter(({ id }) => passes(id))
    console.log(`${kind}: ${passed.length} of ${ofKind.length}`)
    if (kind === 'check' && !args.includes('--all')) continue
    for (const { id } of ofKind) {
      const result = results[id]
      if (passes(id)) continue
      const why = result === true ? 'what it depends on failed' : (result?.join(': ') ?? 'did not run')
      console.log(`  ${id}: ${why}`)
    }
  }
}

function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  return once(probe, 'listening').then(() => {
    const address = probe.address()
    probe.close()
    return address && typeof address === 'object' ? address.port : 0
  })
}
