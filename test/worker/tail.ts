import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers'
import { Hono } from 'hono'
import { toEnvelope } from '../../routes/api/cloudflare/envelope.ts'
import { openTail, tails } from '../../routes/api/cloudflare/tails.ts'
import type { Api, Role } from '../../routes/api/context.ts'
import { toSkerryError } from '../../src/core/errors.ts'
import type { EdgeEnv, StateEnv } from '../../src/env.ts'
import type { TailEvent } from '../../src/observe/tail-event.ts'
import { TailHub as Hub } from '../../src/observe/tail-hub.ts'

export { TailEntrypoint } from '../../runtime/tail.ts'

const ACCOUNT_ID = '0123456789abcdef0123456789abcdef'

/** The hub, with an alarm that a test can let go off. */
export class TailHub extends Hub {
  ring(): Promise<void> {
    return this.alarm()
  }
}

/** Moves the clock of everything in this isolate. */
let aheadMs = 0
const realNow = Date.now
Date.now = () => realNow() + aheadMs

/** What the tests need of the account's registry. */
export class Account extends DurableObject {
  getScript(name: string): object | undefined {
    return name === 'missing' ? undefined : { name }
  }
  setTailing(name: string, untilMs: number): void {
    this.ctx.storage.kv.put(name, untilMs)
  }
  tailing(name: string): number | undefined {
    return this.ctx.storage.kv.get(name)
  }
}

/** What the tests need of the state role. */
export class State extends WorkerEntrypoint<StateEnv> {
  async traces(accountId: string, script: string, events: readonly TailEvent[]): Promise<void> {
    await this.env.TAILS.getByName(`${accountId}/${script}`).publish(events)
  }
}

const app = new Hono<Api>()
app.use(async (c, next) => {
  c.set('requestId', 'request')
  const role = (c.req.header('x-role') ?? 'viewer') as Role
  c.set('principal', { tokenId: 't', tokenName: 't', role })
  const registry = c.env.ACCOUNT.getByName(ACCOUNT_ID)
  c.set('account', { id: ACCOUNT_ID, name: 'main', workersDomain: 'localhost', registry })
  await next()
  c.header('skerry-request-id', 'request')
})
app.route('/client/v4/accounts/:account/workers/scripts/:name/tails', tails)
app.get('/api/v1/tails/:account/:script/:id', c => {
  const { account, script, id } = c.req.param()
  return openTail(c.req.raw, c.env, account, script, id)
})
app.onError(error => {
  const known = toSkerryError(error)
  if (!known) {
    console.error(error)
    throw error
  }
  return toEnvelope(known)
})

app.get('/tailing/:script', async c => {
  const account = c.env.ACCOUNT.getByName(ACCOUNT_ID) as unknown as {
    tailing(name: string): Promise<number | undefined>
  }
  return c.json((await account.tailing(c.req.param('script'))) ?? null)
})
app.post('/publish/:script', async c => {
  const hub = c.env.TAILS.getByName(`${ACCOUNT_ID}/${c.req.param('script')}`)
  await hub.publish((await c.req.json()) as TailEvent[])
  return c.body(null, 204)
})

app.post('/ring/:script', async c => {
  const hub = c.env.TAILS.getByName(`${ACCOUNT_ID}/${c.req.param('script')}`) as unknown as TailHub
  aheadMs = Number(c.req.query('ahead'))
  try {
    await hub.ring()
  } finally {
    aheadMs = 0
  }
  return c.body(null, 204)
})

/** The function whose logs are read; `/run/…` calls its fetch(), `/cron` its scheduled(). */
const FUNCTION = `
  import { WorkerEntrypoint } from 'cloudflare:workers'
  export class Named extends WorkerEntrypoint { greet() { console.log('greeting'); return 'hi' } }
  export class SkerryHarness extends WorkerEntrypoint { describe() { console.log('internal') } evict() {} }
  export default {
    async fetch(request) {
      console.log('hello', { n: 1 })
      console.error('oops')
      if (new URL(request.url).pathname === '/run/throw') throw new TypeError('boom')
      return new Response('ok')
    },
    async scheduled({ cron }) { console.log('tick', cron) }
  }`

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { pathname } = new URL(request.url)
    const exports = ctx.exports as unknown as {
      TailEntrypoint(options: { props: object }): Fetcher
    }
    const worker = env.LOADER.get('function', () => ({
      compatibilityDate: '2026-11-01',
      mainModule: 'main.js',
      modules: { 'main.js': FUNCTION },
      globalOutbound: null,
      tails: [exports.TailEntrypoint({ props: { accountId: ACCOUNT_ID, script: 'fn', versionId: 'v1' } })],
    }))
    if (pathname.startsWith('/run')) return worker.getEntrypoint().fetch(request)
    if (pathname === '/cron') {
      const scheduledTime = new Date(1_700_000_040_000)
      return Response.json(await worker.getEntrypoint().scheduled({ cron: '*/5 * * * *', scheduledTime }))
    }
    if (pathname === '/rpc') {
      await (worker.getEntrypoint('SkerryHarness') as unknown as { describe(): Promise<void> }).describe()
      return Response.json(
        await (worker.getEntrypoint('Named') as unknown as { greet(): Promise<string> }).greet(),
      )
    }
    return app.fetch(request, env, ctx)
  },
} satisfies ExportedHandler<EdgeEnv & StateEnv>
