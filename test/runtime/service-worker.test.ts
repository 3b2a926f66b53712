import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RequestOptions, type RuntimeHost, startRuntimeHost } from '../support/runtime-workerd.ts'

const DATES = ['2021-11-01', '2024-01-01', '2026-11-01'] as const

/** One script that answers by path; every answer is compared with workerd's own service-worker format. */
const SCRIPT = `
var topLevelVar = 'var'
let topLevelLet = 'let'
function topLevelFunction() { return 'function' }
const seen = []
let cron

addEventListener('fetch', event => { seen.push('first'); event.waitUntil(Promise.resolve()) })
addEventListener('fetch', { handleEvent(event) {
  const url = new URL(event.request.url)
  const respond = text => event.respondWith(new Response(text))
  switch (url.pathname) {
    case '/globals': return respond([globalThis.topLevelVar, globalThis.topLevelLet, globalThis.topLevelFunction?.(),
      topLevelLet, self === globalThis, typeof GREETING, GREETING, globalThis.GREETING].join())
    case '/event': return respond([event instanceof FetchEvent, event instanceof ExtendableEvent, event instanceof Event,
      event.type, event.constructor.name, typeof event.respondWith, event.request === event.request,
      event.request instanceof Request, Object.prototype.toString.call(event.request)].join())
    case '/this': return respond([this === globalThis, typeof this?.handleEvent].join())
    case '/async': return event.respondWith(slow(event))
    case '/none': return
    case '/none-body': return event.request.text(), undefined
    case '/prevent': return event.preventDefault()
    case '/twice': respond('once'); try { respond('twice') } catch (e) { seen.push(e.name + e.message) } return
    case '/late': return setTimeout(() => { try { respond('late') } catch (e) { console.log(e.message) } }, 0), undefined
    case '/throw': throw new TypeError('thrown')
    case '/throw-pass': event.passThroughOnException(); throw new TypeError('thrown')
    case '/reject': return event.respondWith(Promise.reject(new RangeError('rejected')))
    case '/reject-pass': event.passThroughOnException(); return event.respondWith(Promise.reject(new RangeError('no')))
    case '/fetch': return event.respondWith(fetch('http://site.example/inner'))
    case '/stack': return respond(new Error('here').stack.split('\\n')[1].replace(/.*:(\\d+:\\d+).*/, '$1'))
    case '/seen': return respond(seen.splice(0).filter(x => x !== 'first').join())
    case '/respond-throw': respond('answered'); throw new Error('after')
    case '/stopped': return respond('stopped ' + seen.splice(0).includes('not stopped'))
    case '/not-response-promise': return event.respondWith(Promise.resolve('text'))
    case '/undefined': return event.respondWith()
    case '/prevented': event.preventDefault(); return
    case '/stop': respond('stopped'); return
    case '/not-response': return event.respondWith('text')
    case '/strict': return respond(String((function () { return this === globalThis })()))
    case '/methods': return respond([typeof event.waitUntil, 'passThroughOnException' in event, event.cancelable].join())
  }
} })
addEventListener('fetch', event => {
  if (new URL(event.request.url).pathname === '/prevented') {
    event.respondWith(new Response([event.defaultPrevented, event.cancelable].join()))
  } else if (event.defaultPrevented && new URL(event.request.url).pathname === '/stop') seen.push('not stopped')
})
addEventListener('fetch', function (event) {
  if (new URL(event.request.url).pathname === '/function-this') event.respondWith(new Response(String([this === globalThis, event.target === globalThis, event.currentTarget === globalThis, event.eventPhase])))
})
addEventListener('fetch', event => {
  if (new URL(event.request.url).pathname === '/once') event.respondWith(new Response('once'))
}, { once: true })
const removed = event => event.respondWith(new Response('removed'))
addEventListener('fetch', removed)
removeEventListener('fetch', removed)
async function slow(event) { await scheduler.wait(5); return new Response('slow ' + event.request.method) }
`

const CASES: readonly [path: string, what: string, init?: RequestOptions][] = [
  ['/globals', 'has top-level var and functions, but not let, as properties of the global, and bindings'],
  ['/event', 'gives events that are instances of the native classes'],
  ['/this', 'calls handleEvent() of an object'],
  ['/async', 'takes a promise of a response'],
  ['/none', 'sends a request to the origin when nobody responds'],
  ['/none', 'sends a body to the origin when nobody responds', { method: 'POST', body: 'the body' }],
  ['/twice', 'keeps the first of two responses'],
  ['/seen', 'throws InvalidStateError for the second'],
  ['/late', 'does not take a response after dispatch'],
  ['/throw', 'fails with what a listener throws'],
  ['/throw-pass', 'sends the request to the origin with passThroughOnException()'],
  ['/reject', 'fails with what the promise rejects with'],
  ['/reject-pass', 'sends the request to the origin when the promise rejects, with passThroughOnException()'],
  ['/fetch', 'fetches through the outbound'],
  ['/stack', 'keeps line and column of the source'],
  ['/stop', 'answers'],
  ['/stopped', 'stops at the listener that responds'],
  ['/not-response-promise', 'refuses a promise of a response that is none'],
  ['/undefined', 'refuses an undefined response'],
  ['/prevented', 'keeps defaultPrevented false'],
  ['/respond-throw', 'does with a listener that responds and then throws'],
  ['/function-this', 'calls functions with the global as this'],
  ['/once', 'calls a listener of once: true'],
  ['/once', 'only once'],
  ['/removed', 'does not call a removed listener'],
  ['/not-response', 'refuses a response that is none'],
  ['/strict', 'runs as sloppy code'],
  ['/methods', 'has the methods of a FetchEvent'],
]

let host: RuntimeHost

beforeAll(async () => {
  const scripts = DATES.map(date => [`native-${date}`, { source: SCRIPT, compatibilityDate: date }] as const)
  host = await startRuntimeHost({ scripts: Object.fromEntries(scripts) })
  for (const date of DATES) {
    await host.deploy(date, {
      format: 'service-worker',
      compatibilityDate: date,
      bindings: [{ type: 'plain_text', name: 'GREETING', text: 'hello' }],
      modules: { 'worker.js': ['cjs', SCRIPT] },
    })
  }
})
afterAll(() => host?.stop())

describe.each(DATES)('a script in service-worker syntax, %s', date => {
  // In order: some look at what an earlier one left.
  test.each(CASES)('%s %s, as natively', async (path, _what, init) => {
    const native = await host.runNative(`native-${date}`, path, init)
    expect(await host.run(date, path, init)).toBe(native)
    expect(native).not.toBe('')
  })

  // Natively the caller is told no more than that the connection was lost.
  test.each([
    [
      '/none-body',
      "TypeError: Script consumed request body but didn't call respondWith(). Can't forward request.",
    ],
    ['/prevent', 'InvalidStateError: preventDefault() called but respondWith() not called'],
  ])('%s fails, as natively, and says why', async (path, message) => {
    const init = { method: 'POST', body: 'the body' }
    expect(await host.runNative(`native-${date}`, path, init)).toMatch(/^500 /)
    expect(await host.run(date, path, init)).toBe(`500 ${message}`)
  })
})
