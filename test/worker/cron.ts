import { WorkerEntrypoint } from 'cloudflare:workers'
import { Hono } from 'hono'
import { type CronTime, CronClock as ProductClock } from '../../bindings/cron/object.ts'
import { toEnvelope } from '../../routes/api/cloudflare/envelope.ts'
import { schedules } from '../../routes/api/cloudflare/schedules.ts'
import type { Api, Role } from '../../routes/api/context.ts'
import { SkerryError, toSkerryError } from '../../src/core/errors.ts'
import type { InvocationTarget, Invoker, ScheduledEvent } from '../../src/core/invoker.ts'
import type { EventResult } from '../../src/core/outcome.ts'
import type { StateEnv } from '../../src/env.ts'

/** The object under test with a clock that runs `SCALE` times as fast, and an edge that notes its calls. */

interface TestEnv extends StateEnv {
  /** At `realMs` of the host's clock, the object's clock shows `shownMs`. Alarms ring `earlyMs` too early. */
  readonly CLOCK: {
    readonly realMs: number
    readonly shownMs: number
    readonly scale: number
    readonly earlyMs?: number
  }
}

/** How the fake edge answers for a script. */
export interface Behaviour {
  /** On the object's clock. */
  readonly delayMs?: number
  readonly result?: EventResult
  /** Answer the first so many calls by rejecting. */
  readonly rejects?: number
}

/** A call that the fake edge got; times on the object's clock. */
export interface Call extends InvocationTarget, ScheduledEvent {
  readonly startedMs: number
  endedMs?: number
}

const calls: Call[] = []
const behaviours = new Map<string, Behaviour>()

function testTime({ CLOCK: { realMs, shownMs, scale, earlyMs = 0 } }: TestEnv): CronTime {
  return {
    now: () => Math.floor(shownMs + (Date.now() - realMs) * scale),
    toAlarm: at => realMs + (at - shownMs) / scale - earlyMs,
  }
}

export class CronClock extends ProductClock {
  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env, testTime(env as TestEnv))
  }
}

export class Edge extends WorkerEntrypoint<TestEnv> implements Pick<Invoker, 'runScheduled'> {
  async runScheduled(target: InvocationTarget, event: ScheduledEvent): Promise<EventResult> {
    const time = testTime(this.env)
    const call: Call = { ...target, ...event, startedMs: time.now() }
    calls.push(call)
    const { delayMs = 0, rejects = 0, result } = behaviours.get(target.script) ?? {}
    const { scale } = this.env.CLOCK
    if (delayMs > 0) await new Promise(resolve => setTimeout(resolve, delayMs / scale))
    if (calls.filter(({ script }) => script === target.script).length <= rejects) throw new Error('no edge')
    call.endedMs = time.now()
    return result ?? { outcome: 'ok', noRetry: false }
  }
}

const app = new Hono<Api>()
app.onError(error => toEnvelope(toSkerryError(error) ?? new SkerryError('ERR_INTERNAL', String(error))))
app.use('/accounts/:account/*', async (c, next) => {
  const role = (c.req.header('role') ?? 'deployer') as Role
  c.set('principal', { tokenId: 't', tokenName: 't', role })
  const registry = { getScript: async (name: string) => (name.startsWith('absent') ? undefined : { name }) }
  const account = { id: c.req.param('account'), name: 'a', workersDomain: 'localhost', registry }
  c.set('account', account as unknown as Api['Variables']['account'])
  await next()
})
app.route('/accounts/:account/workers/scripts/:name/schedules', schedules)

app.get('/calls', c => c.json({ calls }))
app.get('/now', c => c.json({ nowMs: testTime(c.env as TestEnv).now() }))
app.put('/behaviours/:script', async c => {
  behaviours.set(c.req.param('script'), await c.req.json<Behaviour>())
  return c.json({})
})
/** Calls a method of an account's object with the body's arguments. */
app.post('/object/:account/:method', async c => {
  const clock = c.env.CRON.getByName(c.req.param('account'))
  const methods = clock as unknown as Record<string, (...args: unknown[]) => Promise<unknown>>
  const result = await methods[c.req.param('method')]?.(...(await c.req.json<unknown[]>()))
  return c.json({ result })
})

export default app
