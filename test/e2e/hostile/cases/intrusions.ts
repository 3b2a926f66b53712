import type { HostileCase } from '../case.ts'
import {
  bindAcrossAccounts,
  claimAddresses,
  claimAddressWhenHandedOver,
  knockOnPrivateDoors,
  runAndEvict,
  uploadReservedNames,
} from '../intrusions.ts'

const handling = (body: string, before = '') => `${before}
export default { async fetch(request, env, ctx) { ${body} } }`
/** What the functions below answer that got hold of nothing. */
const NOTHING = /^200 nothing$/

/** Functions that try to reach what isn't theirs. */
export const INTRUSION_CASES: readonly HostileCase[] = [
  {
    name: 'built-ins',
    does: 'replaces built-ins: prototypes, promises, iteration, responses, timers',
    source: `
      const original = Response
      const endless = () => { for (;;); }
      Object.prototype.then = undefined
      Object.prototype.toJSON = () => ({ outcome: 'ok', hacked: true })
      Object.prototype.fetch = Object.prototype.cron = endless
      Array.prototype[Symbol.iterator] = Array.prototype.toString = Array.prototype.map = endless
      String.prototype.slice = String.prototype.split = RegExp.prototype.exec = endless
      Promise = class { then() { endless() } }
      Function.prototype.call = Function.prototype.apply = Function.prototype.bind = endless
      Reflect.apply = Reflect.ownKeys = Object.freeze = Object.keys = JSON.stringify = JSON.parse = endless
      globalThis.setTimeout = globalThis.queueMicrotask = endless
      globalThis.Response = globalThis.Request = globalThis.Headers = class { constructor() { endless() } }
      let id
      export default {
        async fetch(request, env, ctx) {
          id ??= Math.random()
          if (ctx.exports.SkerryHarness && request.url[request.url.length - 1] === '!') await ctx.exports.SkerryHarness.evict()
          return new original(id)
        },
        scheduled() {},
      }`,
    attack: runAndEvict,
    answer: /^200; 200; evicted$/,
    answerWithinMs: 3000,
  },
  {
    name: 'own-harness',
    does: "calls the platform's entrypoint in its own isolate, oddly",
    source: `
      import { WorkerEntrypoint } from 'cloudflare:workers'
      // Ours wins over this one.
      export class SkerryHarness extends WorkerEntrypoint { describe() { return 'mine' } evict() { for (;;); } }
      export default {
        async fetch(request, env, ctx) {
          const { pathname } = new URL(request.url)
          if (pathname === '/fine') return new Response('fine')
          const harness = ctx.exports.SkerryHarness
          if (!harness) return new Response('hidden')
          const odd = [undefined, null, 1n, () => {}, new Proxy({}, { get: () => 'x'.repeat(1e6) }), { cron: { then() {} } }]
          if (pathname === '/evict') {
            await Promise.allSettled(Array.from({ length: 100 }, () => harness.evict()))
            await scheduler.wait(1000)
          }
          for (const name of ['describe', 'runScheduled', 'constructor', 'env', 'ctx', '__proto__', 'user'])
            for (const argument of odd)
              try { await harness[name](argument, argument) } catch {}
          return new Response('called')
        },
      }`,
    attack: async ({ get }) => {
      const called = await get('/call')
      await get('/evict')
      const { got } = await get('/fine')
      return { got: `${called.got}; ${got}`, ms: called.ms }
    },
    answer: /^200 (called|hidden); 200 fine$/,
  },
  {
    name: 'others-env',
    does: "looks for other functions' variables and for the platform's entrypoints",
    source: handling(
      `
      const found = []
      const platform = ['State', 'Edge', 'Ops', 'Health', 'Handover', 'Outbound', 'KvEntrypoint', 'ServiceEntrypoint',
        'TailEntrypoint', 'RateLimitEntrypoint', 'Account', 'Directory', 'CronClock', 'TailHub',
        'Limiter', 'Records']
      for (const name of platform) if (ctx.exports[name]) found.push('ctx.exports.' + name)
      for (const name of ['LOADER', 'CODE', 'STATE', 'EDGE', 'EDGE_0', 'MASTER_KEY', 'ADMIN_TOKEN', 'INTERNET'])
        if (env[name] !== undefined || imported[name] !== undefined) found.push('env.' + name)
      for (const stub of [env.FRIEND, env.KV, ctx.exports.default])
        for (const name of ['env', 'ctx', 'props', 'constructor', '__proto__', 'exports', 'own', '#hidden', 'secret', 'default']) {
          const inside = await Promise.race([
            (async () => stub[name])().then(async value => typeof value === 'function' ? value() : value),
            scheduler.wait(200),
          ]).catch(() => undefined)
          if (JSON.stringify(inside)?.includes('secret')) found.push(name)
        }
      if (Object.keys(ctx.props ?? {}).length > 0) found.push('ctx.props')
      return new Response(found.join(', ') || 'nothing')`,
      `import { env as imported } from 'cloudflare:workers'`,
    ),
    companions: {
      friend: `import { WorkerEntrypoint } from 'cloudflare:workers'
        export default class extends WorkerEntrypoint {
          own = 'a secret'
          #hidden = 'a secret'
          async fetch() { return new Response('friend') }
        }
        export const secret = () => 'a secret'`,
    },
    config: {
      services: [{ binding: 'FRIEND', service: 'friend' }],
      kv_namespaces: [{ binding: 'KV', id: '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f' }],
    },
    answer: NOTHING,
    answerWithinMs: 6000,
  },
  {
    name: 'operators-secrets',
    does: "looks for the operator's secrets: environment, files, modules, other processes",
    source: handling(
      `
      const found = []
      const look = async (name, action) => {
        try { if (await action()) found.push(name) } catch {}
      }
      await look('process.env', () => /KEY|TOKEN|SKERRY|HOME/.test(JSON.stringify(process.env)))
      for (const path of ['/proc/self/environ', '/proc/self/maps', '/etc/passwd', '../worker.js', '/run', '/proc'])
        await look(path, () => fs.existsSync(path) && (fs.statSync(path).isDirectory() ? fs.readdirSync(path).length : fs.readFileSync(path).length))
      for (const name of ['worker.js', '../worker.js', 'workerd:unsafe', 'cloudflare-internal:env', 'cloudflare-internal:workers', 'node:child_process'])
        await look(name, async () => {
          const module = await import(name)
          return name === 'node:child_process' ? module.execSync('id').length : true
        })
      await look('process.binding', () => process.binding?.('fs'))
      await look('eval', () => eval('1') + new Function('return 1')())
      return new Response(found.join(', ') || 'nothing')`,
      `import fs from 'node:fs'`,
    ),
    answer: NOTHING,
  },
  {
    name: 'private-doors',
    does: "knocks on the platform's private doors, from inside and from outside",
    source: handling(
      `
      const found = []
      for (const url of await request.json())
        try { found.push(url + ' ' + (await fetch(url, { method: 'POST', body: '{}' })).status) } catch {}
      for (const address of ['unix:run/state.rpc', 'unix:/tmp', 'localhost:1'])
        try {
          const socket = connect(address)
          await socket.opened
          let bytes = 0
          for await (const chunk of socket.readable) bytes += chunk.byteLength
          if (bytes > 0) found.push(address)
        } catch {}
      return new Response(found.join(', ') || 'nothing')`,
      `import { connect } from 'cloudflare:sockets'`,
    ),
    attack: knockOnPrivateDoors,
    answer: NOTHING,
    answerWithinMs: 5000,
  },
  {
    name: 'addresses',
    does: "claims another client's address, and headers that only the platform sets",
    source: handling(`
      const { url, headers } = await request.json()
      return fetch(url, { headers, cf: { clientIp: '203.0.113.9' } })`),
    attack: claimAddresses,
    answer: NOTHING,
  },
  {
    name: 'handed-over',
    does: "claims another client's address in requests that outlive their edge, which it ends",
    source: handling('for (;;);'),
    companions: {
      'sees-address': handling(`
        if (request.url.endsWith('/slow')) await scheduler.wait(500)
        return new Response(request.headers.get('cf-connecting-ip'))`),
    },
    attack: claimAddressWhenHandedOver,
    answer: /^503 ERR_FUNCTION_CPU; seen: 127\.0\.0\.1$/,
    strikes: ['cpu'],
  },
  {
    name: 'other-account',
    does: 'binds a function of another account',
    source: handling(`return new Response('no')`),
    attack: bindAcrossAccounts,
    answer: /^refused$/,
  },
  {
    name: 'module-names',
    does: "brings modules with the names of the platform's and the runtime's",
    source: handling(`return new Response('no')`),
    attack: uploadReservedNames,
    answer: /^all refused$/,
  },
]
