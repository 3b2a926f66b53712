import type { BindScope } from '../../bindings/binding.ts'
import { ObjectAlarms as RealAlarms } from '../../bindings/durable-object/alarm-entrypoint.ts'
import { setObjectCodeResolver } from '../../bindings/durable-object/code.ts'
import { exportedObjects } from '../../bindings/durable-object/kind.ts'
import {
  encodeHeader,
  OBJECT_HEADER,
  PLACE_HEADER,
  SENT_HEADER,
  toHostName,
} from '../../bindings/durable-object/target.ts'
import { bindEnv } from '../../bindings/index.ts'
import type { DurableObjectBinding, ExportRef } from '../../src/core/manifest.ts'
import { exportKey } from '../../src/core/resources.ts'
import { toDriverCode } from './driver-code.ts'
import type { HostEnv } from './host-env.ts'

export { DurableObjectEntrypoint } from '../../bindings/durable-object/entrypoint.ts'
export { ObjectIndex } from '../../bindings/durable-object/index-object.ts'
export { NoObject } from '../../bindings/durable-object/no-object.ts'
export { UserObject } from '../../bindings/durable-object/object.ts'
export { Objects } from '../../src/objects.ts'

/** The real one, but for a time that it can't store. */
export class ObjectAlarms extends RealAlarms {
  override async set(time: unknown): Promise<void> {
    if (time === UNSTORABLE) throw new Error('the disk is full')
    return super.set(time)
  }
}

const UNSTORABLE = 4_100_000_000_000
const CLASSES = ['Tried', 'Quiet', 'Plain']
const BINDINGS = CLASSES.map(
  (name): DurableObjectBinding => ({ type: 'durable_object_namespace', name, class_name: name }),
)
const EXPORTS: ExportRef[] = [
  { name: 'default', kind: 'handlers', handlers: ['fetch'] },
  { name: 'Tried', kind: 'durable-object', handlers: ['alarm', 'fetch'] },
  { name: 'Quiet', kind: 'durable-object', handlers: [] },
  { name: 'Plain', kind: 'other', handlers: [] },
]

let date = '2026-11-01'
let deployed = 1

function load(env: HostEnv, exports: Cloudflare.Exports): WorkerStub {
  return env.LOADER.get(`${date}/${deployed}`, () => {
    const scope = {
      accountId: '0'.repeat(32),
      script: 'driver',
      exports,
      resources: Object.fromEntries(
        CLASSES.flatMap((name, i) =>
          [`durable_object_namespace/driver/${name}`, exportKey(name)].map(key => [
            key,
            String(i).repeat(32),
          ]),
        ),
      ),
    } as unknown as BindScope
    const objects = exportedObjects(EXPORTS, scope)
    return toDriverCode(
      env.DRIVER,
      { compatibilityDate: date, exports: EXPORTS, bindings: BINDINGS },
      { env: bindEnv(BINDINGS, scope), globalOutbound: null, ...(objects && { objects }) },
    )
  })
}

setObjectCodeResolver(({ className }, env, ctx) => ({
  key: `${deployed}/${className}`,
  isTailing: false,
  className,
  worker: () => load(env as unknown as HostEnv, ctx.exports as Cloudflare.Exports),
}))

const SCOPE = { accountId: '0'.repeat(32), script: 'driver', className: 'Tried' }

/** Has an object set an alarm that can't be stored, without waiting for it; says what the call gave, and its alarm. */
async function setUnstorable({ Objects }: Cloudflare.Exports): Promise<unknown> {
  const target = { ...SCOPE, namespaceId: 'd'.repeat(32), id: 'd'.repeat(64) }
  const call = (method: string, ...args: unknown[]): Promise<unknown> =>
    Objects.callObject(target, [method], args)
  await call('setAlarm', 4_000_000_000_000)
  const answer = await call('setAlarmAndForget', UNSTORABLE).catch((error: Error) => error.message)
  return { answer, alarm: await call('readAlarm') }
}

/** Sets an object's alarm as its run before a reset would have; gives how often it ran, and its alarm then. */
async function setFromBefore({ Objects, ObjectAlarms }: Cloudflare.Exports): Promise<unknown> {
  const target = { ...SCOPE, namespaceId: 'c'.repeat(32), id: 'c'.repeat(64) }
  const call = (method: string) => Objects.callObject(target, [method], []) as Promise<[unknown[]?, unknown?]>
  const known = await call('readAlarm')
  await ObjectAlarms({ props: { object: toHostName(target) } }).set(Date.now() + 50)
  let seen = await call('alarms')
  for (let looks = 0; looks < 100 && !seen[0]; looks++) {
    await scheduler.wait(20)
    seen = await call('alarms')
  }
  return { known, ran: seen[0]?.length, alarm: seen[1] }
}

/** Sends calls and requests in another order than their places have; says the object's counts in the order sent. */
function sendOutOfOrder({ Objects }: Cloudflare.Exports): Promise<unknown[]> {
  const target = { ...SCOPE, namespaceId: 'e'.repeat(32), id: 'e'.repeat(64) }
  const placeOf = (number: number) => ({ sender: 'an edge', number, isFree: number === 0 })
  const call = (number: number) => Objects.callObject(target, ['increment'], [], placeOf(number))
  const send = async (number: number) => {
    const headers = {
      [OBJECT_HEADER]: encodeHeader(target),
      [SENT_HEADER]: encodeHeader({ cf: null, host: null }),
      [PLACE_HEADER]: encodeHeader(placeOf(number)),
    }
    return (await Objects.fetch('http://object/count', { headers })).json()
  }
  return Promise.all([call(4), send(3), call(1), send(2), call(0)])
}

/** Has objects store something, deletes their namespace, and says what each has before and after. */
async function deleteNamespace(count: number, exports: Cloudflare.Exports): Promise<unknown> {
  const { Objects } = exports
  const scope = { ...SCOPE, namespaceId: 'f'.repeat(32) }
  const targets = Array.from({ length: count }, (_, i) => ({ ...scope, id: String(i).padStart(64, '0') }))
  const onAll = (method: string, ...args: unknown[]) =>
    Promise.all(targets.map(target => Objects.callObject(target, [method], args)))
  const list = async () =>
    (await Objects.listObjects(scope.accountId, scope.namespaceId, { limit: 1000 })).objects.length
  await onAll('transactionSync', 'commit')
  await onAll('setAlarm', 4_000_000_000_000)
  const look = async () => ({
    listed: await list(),
    has: await onAll('get', 's'),
    alarms: await onAll('alarms'),
  })
  const before = await look()
  await Objects.deleteNamespace(scope.accountId, scope.namespaceId)
  return { before, listed: await list(), after: await look() }
}

/** Sends a request to a function with Durable Objects, under the date of the query. `/deploy` deploys it again. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const url = new URL(request.url)
    date = url.searchParams.get('date') ?? date
    if (url.pathname === '/deploy') deployed++
    if (url.pathname === '/order') return Response.json(await sendOutOfOrder(ctx.exports))
    if (url.pathname === '/delete') return Response.json(await deleteNamespace(60, ctx.exports))
    if (url.pathname === '/unstorable') return Response.json(await setUnstorable(ctx.exports))
    if (url.pathname === '/from-before') return Response.json(await setFromBefore(ctx.exports))
    return load(env, ctx.exports).getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<HostEnv>
