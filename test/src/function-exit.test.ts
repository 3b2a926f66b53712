import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'

const ACCOUNT = 'a'.repeat(32)
const SOURCE = `import { abortIsolate } from 'cloudflare:workers'
  import process from 'node:process'
  const wait = ms => scheduler.wait(ms)
  let served = 0
  export default { async fetch(request, env, ctx) {
    served++
    switch (new URL(request.url).pathname) {
      case '/abort': return abortIsolate('mine')
      case '/abort-later': await wait(20); return abortIsolate('mine')
      case '/abort-behind': ctx.waitUntil(wait(20).then(() => abortIsolate('mine'))); return new Response('left')
      case '/exit': return process.exit(-3)
      case '/exit-later': await wait(20); return process.exit()
      case '/process-abort': return process.abort()
      case '/hang': return new Promise(() => {})
      case '/slow': await wait(300)
    }
    return new Response('request ' + served)
  } }`

let workerd: Workerd

beforeAll(async () => {
  workerd = await startWorkerd({
    modules: { 'worker.js': await bundleModule('test/worker/evict.ts') },
    compatibilityFlags: ['experimental', 'service_binding_extra_handlers'],
    bindings: [{ name: 'LOADER', workerLoader: { id: 'functions' } }],
  })
  await control('/scripts', { a: { source: SOURCE, compatibilityFlags: ['nodejs_compat'] } })
  const reads = { cf: false, clientHeaders: false }
  const version = { id: 'a-1', isolate: 'a-1', percentage: 100, reads, hasFetch: true, turnMs: 500 }
  const script = {
    ...{ name: 'a', versions: [version], workersDev: true, previews: false, tailingUntilMs: 0 },
  }
  await control('/apply', {
    ...{ accountId: ACCOUNT, workersDomain: 'localhost', from: 0, to: 1, scripts: [script], removed: [] },
  })
})

afterAll(() => workerd?.stop())

function control(path: string, body: unknown) {
  const headers = { host: 'control' }
  return workerd.fetch(path, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function call(path: string): Promise<string> {
  const response = await workerd.fetch(path, { headers: { host: 'a.localhost' } })
  const text = await response.text()
  if (response.status === 200) return text
  const { code, detail } = JSON.parse(text) as { code: string; detail: string }
  return `${response.status} ${code}: ${detail}`
}

const ended = (by: string) => `500 ERR_FUNCTION_EXIT: The function "a" ended itself: it called ${by}.`

test.each([
  ['/abort', ended('abortIsolate()')],
  ['/abort-later', ended('abortIsolate()')],
  ['/exit', ended('process.exit(-3)')],
  ['/exit-later', ended('process.exit(0)')],
  ['/process-abort', ended('process.exit(1)')],
  ['/hang', '500 ERR_FUNCTION_EXCEPTION: The function "a" threw an exception.'],
])('a call of %s is told what the function did: %s', async (path, expected) => {
  expect(await call(path)).toBe(expected)
  // Whatever it was, the next call is served.
  expect(await call('/')).toMatch(/^request \d+$/)
})

test('calls that end one isolate together are all told, and the one that waits in it gets its answer', async () => {
  const slow = call('/slow')
  await call('/')
  const answers = await Promise.all(Array.from({ length: 10 }, () => call('/abort')))
  expect(new Set(answers)).toEqual(new Set([ended('abortIsolate()')]))
  expect(await slow).toMatch(/^request \d+$/)
})

test('an isolate that ends after its answer is loaded again for the next call', async () => {
  expect(await call('/abort-behind')).toBe('left')
  await expect.poll(() => call('/')).toBe('request 1')
})
