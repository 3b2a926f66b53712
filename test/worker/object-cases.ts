import { exports, RpcTarget } from 'cloudflare:workers'
import { FAR, type Plain, type Quiet, type Tried } from './object-classes.ts'
import { see } from './object-see.ts'

/** What the driver is bound to. */
export interface DriverEnv {
  readonly Tried: DurableObjectNamespace<Tried>
  readonly Quiet: DurableObjectNamespace<Quiet>
  readonly Plain: DurableObjectNamespace<Plain & Rpc.DurableObjectBranded>
}

/** One case: what it returns or throws is compared. */
export type Case = (env: DriverEnv) => unknown

/** A namespace or an object that may be called wrongly. */
type Loose = Record<string, (...args: unknown[]) => unknown>
const loose = (value: unknown) => value as Loose

/** What RPC makes of an object that gives stubs is beyond its types. */
interface Giver {
  getStub(name: string): DurableObjectStub<Tried>
}

class Adder extends RpcTarget {
  add(n: number): number {
    return n + 100
  }
}

/** The namespaces of the driver's classes without their bindings. */
const exported = exports as unknown as DriverEnv

/** A call of an object of its own. */
const on =
  (name: string, call: (object: DurableObjectStub<Tried>, env: DriverEnv) => unknown): Case =>
  env =>
    call(env.Tried.getByName(name), env)

const values: Record<string, unknown> = {
  nothing: undefined,
  null: null,
  'a number': 5,
  'an empty text': '',
  'an object': {},
  'an array': ['a'],
}

const nameCases = Object.fromEntries(
  [
    ...Object.entries(values),
    ['a text beyond Latin-1', 'ключ/é\u{1f600}'],
    ['100,000 characters', 'x'.repeat(100_000)],
  ].map(([what, value]): [string, Case] => [
    `idFromName() of ${what}`,
    ({ Tried }) => {
      const id = loose(Tried).idFromName?.(value) as DurableObjectId
      return [id.name?.length, id.toString().length, id.equals(Tried.idFromName(String(value)))]
    },
  ]),
)

const idCases = Object.fromEntries(
  [
    ...Object.entries(values),
    ['63 digits', 'f'.repeat(63)],
    ['64 digits of no namespace', 'f'.repeat(64)],
    ['65 digits', 'f'.repeat(65)],
    ['no digits', 'z'.repeat(64)],
  ].map(([what, value]): [string, Case] => [
    `idFromString() of ${what}`,
    ({ Tried }) => loose(Tried).idFromString?.(value),
  ]),
)

const getCases = Object.fromEntries(
  Object.entries(values).map(([what, value]): [string, Case] => [
    `get() of ${what}`,
    ({ Tried }) => loose(Tried).get?.(value),
  ]),
)

const optionCases = Object.fromEntries(
  [
    { locationHint: 'weur' },
    { locationHint: 'mars' },
    { locationHint: 5 },
    { routingMode: 'primary-only' },
    { routingMode: 'other' },
    5,
    null,
    'text',
  ].map((options): [string, Case] => [
    `get() with options ${JSON.stringify(options)}`,
    ({ Tried }) => {
      const stub = loose(Tried).get?.(Tried.idFromName('options'), options) as DurableObjectStub<Tried>
      return stub.getName()
    },
  ]),
)

const failures = ['error', 'range', 'type', 'custom', 'flags', 'cause', 'text', 'undefined', 'object', 'dom']
const failureCases = Object.fromEntries(
  failures.map((type): [string, Case] => [
    `an error of kind ${type}`,
    on('failures', object => object.fail(type)),
  ]),
)

const times: unknown[] = [
  FAR,
  FAR + 0.7,
  new Date(FAR),
  1,
  0.5,
  0,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  9_223_372_036_854,
  9_223_372_036_855,
  9e15,
  'text',
  String(FAR),
  null,
  undefined,
  true,
  {},
  10n,
]
const alarmCases = Object.fromEntries(
  times.map((time): [string, Case] => [
    `setAlarm() of ${typeof time} ${time instanceof Date ? 'Date' : String(time)}`,
    on(`alarm ${typeof time} ${String(time)}`, object => object.trySetAlarm(time)),
  ]),
)

const arguments_: Record<string, () => unknown> = {
  undefined: () => undefined,
  'a Date': () => new Date(5),
  'a Map and a Set': () => [new Map([[1, 2]]), new Set([1])],
  bytes: () => new Uint8Array([1, 2]),
  'a bigint': () => 10n,
  'an Error': () => new RangeError('an argument'),
  'an instance of a class': () =>
    new (class Own {
      a = 1
    })(),
  'a symbol': () => Symbol('s'),
  'a WeakMap': () => new WeakMap(),
}
const argumentCases = Object.fromEntries(
  Object.entries(arguments_).map(([what, make]): [string, Case] => [
    `an argument: ${what}`,
    on('arguments', object => object.echo(make())),
  ]),
)

const waitFor = async (
  look: () => Promise<unknown>,
  isThere: (seen: unknown) => boolean,
): Promise<unknown> => {
  for (let i = 0; i < 200; i++) {
    const seen = await look()
    if (isThere(seen)) return seen
    await scheduler.wait(20)
  }
  return 'it did not come'
}

/** A call of an object of its own, once it has an alarm and was reset. Natively the stub that sees this is broken. */
const reset = (name: string, then: (object: DurableObjectStub<Tried>) => unknown): Case =>
  on(`reset, ${name}`, async (object, { Tried }) => {
    await object.setAlarm(FAR)
    await see(() => object.abort('reset'))
    return then(Tried.getByName(`reset, ${name}`))
  })

const alarmRun =
  (order: string, runs: number): Case =>
  async env => {
    const object = env.Tried.getByName(`run ${order}`)
    await object.runAlarm(order)
    return waitFor(
      () => object.alarms() as Promise<unknown>,
      seen => ((seen as [unknown[]])[0]?.length ?? 0) >= runs,
    ).then(async seen => {
      const [alarms, next] = seen as [unknown[], number | null]
      return [alarms, next === null || next === FAR ? next : 'soon']
    })
  }

const talk = async (socket: WebSocket, messages: readonly string[]): Promise<unknown> => {
  socket.accept()
  const heard: unknown[] = []
  const { promise: closed, resolve } = Promise.withResolvers<void>()
  let waiting: (() => void) | undefined
  socket.addEventListener('message', ({ data }) => {
    heard.push(data)
    waiting?.()
  })
  socket.addEventListener('close', ({ code, reason }) => {
    heard.push([code, reason])
    resolve()
  })
  for (const message of messages) {
    const { promise, resolve: next } = Promise.withResolvers<void>()
    waiting = next
    socket.send(message)
    await promise
  }
  if (messages.includes('close')) await closed
  else socket.close(1000, 'bye')
  return heard
}

const upgrade = async (object: DurableObjectStub<Tried>, path: string): Promise<WebSocket> => {
  const response = await object.fetch(`http://object${path}`, { headers: { upgrade: 'websocket' } })
  if (!response.webSocket) throw new Error(`no socket: ${response.status}`)
  return response.webSocket
}

/** Every case, by what it tries. */
export const cases: Record<string, Case> = {
  ...nameCases,
  ...idCases,
  ...getCases,
  ...optionCases,
  'idFromName() without arguments': ({ Tried }) => loose(Tried).idFromName?.(),
  'idFromName() of a symbol': ({ Tried }) => loose(Tried).idFromName?.(Symbol('s')),
  'an id': ({ Tried }) => {
    const id = Tried.idFromName('a')
    return [
      id.name,
      JSON.stringify(id),
      Object.keys(id),
      String(id) === id.toString(),
      Object.prototype.toString.call(id),
      id.constructor.name,
      id.equals(Tried.idFromName('a')),
      id.equals(Tried.idFromName('b')),
    ]
  },
  'an id compared with what is none': ({ Tried }) => loose(Tried.idFromName('a')).equals?.('a'),
  'an id is the same each time': ({ Tried, Quiet }) => [
    new Set(['a', 'a', 'b'].map(name => String(Tried.idFromName(name)))).size,
    String(Tried.idFromName('a')) === String(Quiet.idFromName('a')),
    new Set([1, 2].map(() => String(Tried.newUniqueId()))).size,
  ],
  'an id written and read': ({ Tried }) =>
    [Tried.idFromName('a'), Tried.newUniqueId()].map(id => {
      const read = Tried.idFromString(id.toString().toUpperCase())
      return [read.equals(id), read.name, read.toString() === id.toString()]
    }),
  "another namespace's id, written": ({ Tried, Quiet }) => Tried.idFromString(String(Quiet.idFromName('a'))),
  'newUniqueId()': ({ Tried }) => {
    const id = Tried.newUniqueId()
    return [id.name, /^[0-9a-f]{64}$/.test(String(id)), JSON.stringify(id)]
  },
  'jurisdiction() of nothing': ({ Tried }) => {
    const same = loose(Tried).jurisdiction?.(undefined) as typeof Tried | undefined
    return same && String(same.idFromName('a')) === String(Tried.idFromName('a'))
  },
  'a namespace': ({ Tried }) => [
    Object.keys(Tried),
    Object.prototype.toString.call(Tried),
    typeof Tried.get,
    Tried.constructor.name,
  ],
  'a stub': ({ Tried }) => {
    const stub = loose(Tried.getByName('a'))
    return [
      Object.keys(stub),
      String(stub.id) === String(Tried.idFromName('a')),
      stub.name,
      typeof stub,
      typeof stub.anything,
      typeof stub.fetch,
      typeof stub.then,
      'anything' in stub,
      Object.prototype.toString.call(stub),
      stub.constructor?.name,
    ]
  },
  'a stub of an id without name': ({ Tried }) => {
    const stub = Tried.get(Tried.idFromString(String(Tried.idFromName('a'))))
    return [stub.name, stub.id.name]
  },
  'a stub awaited': async ({ Tried }) =>
    (await (Tried.getByName('a') as unknown as Promise<{ name: string }>)).name,

  'ctx of an object': on('described', object => object.describe()),
  'the id in the object is the id outside': on(
    'compared',
    async (object, { Tried }) => (await object.id()) === String(Tried.idFromName('compared')),
  ),
  'ctx.id and an id of the namespace': on('same', async object => [
    await object.sameAs('same'),
    await object.sameAs('other'),
  ]),
  'an object calls itself by ctx.id': on('self', object => object.callSelf()),
  'an object calls another one': on('caller', async object => [
    await object.callOther('called', 'rpc'),
    JSON.parse(String(await object.callOther('called', 'fetch'))).url,
  ]),
  'a class in ctx.exports': ({ Tried }) => {
    const id = exported.Tried.idFromName('exported')
    return [
      id.equals(Tried.idFromName('exported')),
      Tried.get(exported.Tried.idFromString(String(id))).id.equals(id),
      typeof exported.Tried.newUniqueId().toString(),
      typeof exported.Tried,
    ]
  },
  'an object by its class in ctx.exports': () => exported.Tried.getByName('exported').getName(),
  'an object of the old style by its class in ctx.exports': () =>
    exported.Plain.getByName('exported').fetch('http://object/'),
  'an object calls another by its class in ctx.exports': () =>
    exported.Tried.getByName('caller').callExported('called'),
  'a facet of an object, of a class in ctx.exports': on('facets', async object => [
    await object.callFacet(),
    await object.callFacet(),
  ]),
  'an object by a class that is not exported': () => loose(loose(exports).Missing).getByName?.('a'),
  'a stub as argument': on('stubs', async (object, { Tried }) => object.useStub(Tried.getByName('passed'))),
  'a stub in an object as argument': on('stubs', async (object, { Tried }) =>
    object.useStubIn({ stub: Tried.getByName('passed') }),
  ),
  'a stub as result': on('stubs', async object => {
    const stub = await (object as unknown as Giver).getStub('given')
    return [await stub.getName(), await stub.getter, await (await stub.fetch('http://object/echo')).text()]
  }),
  'a method of a stub that is on its way': on('stubs', object =>
    (object as unknown as Giver).getStub('given').getName(),
  ),
  'state in memory': on('memory', async object => [await object.increment(), await object.increment(2)]),
  'calls at once': on('at once', object => Promise.all([1, 1, 1].map(by => object.increment(by)))),
  'a call that waits': on('waits', object => object.later(1)),
  ...failureCases,
  'a rejection': on('failures', object => object.rejects()),
  ...argumentCases,
  'many arguments': on('arguments', object => object.echo(1, 'b', null, [2], { c: 3 })),
  'a method that is not there': on('members', object => loose(object).nothing?.()),
  'a field': on('members', object => (object as unknown as { field: unknown }).field),
  'a getter': on('members', object => object.getter),
  'a private method': on('members', object => loose(object)['#count']?.()),
  ...Object.fromEntries(
    [
      'alarm',
      'connect',
      'webSocketMessage',
      'constructor',
      'skerryFlush',
      'skerryAlarm',
      'ctx',
      'env',
      '__proto__',
    ].map((member): [string, Case] => [
      `the member ${member}`,
      on('members', async object => {
        const stub = loose(object)
        // Making one is no call.
        return member === 'constructor' || member === '__proto__' ? typeof stub[member] : stub[member]?.()
      }),
    ]),
  ),
  'a call through call()': on('members', object => loose(object.getName).call?.(null)),
  'a getter, and a method of what it gives': on('members', object => object.tools.add(4)),
  'a function as argument': on('functions', object => object.callback(n => Number(n) * 2)),
  'a function as argument that throws': on('functions', object =>
    object.callback(() => {
      throw new RangeError('from the caller')
    }),
  ),
  'a function as result': on('functions', async object => {
    using double = await object.getFunction(2)
    return double(21)
  }),
  'a target as argument': on('targets', object => loose(object).useTarget?.(new Adder())),
  'a target as result': on('targets', async object => {
    using target = await object.getTarget()
    return [await target.add(1), await target.add(2), await target.sum]
  }),
  'a method of a target that is on its way': on('targets', object => object.getTarget().add(3)),
  'what is nested in a result that is on its way': on('targets', object =>
    (
      object.getNested() as unknown as { deep: { value: unknown; tool: { add(n: number): unknown } } }
    ).deep.tool.add(9),
  ),
  'a value in a result that is on its way': on(
    'targets',
    object => (object.getNested() as unknown as { deep: { value: unknown } }).deep.value,
  ),
  'then(), catch() and finally() of a call': on('chains', async object => {
    const seen: unknown[] = []
    await object.getName().then(name => seen.push(name))
    await (object.fail('error') as Promise<unknown>).catch((error: Error) => seen.push(error.message))
    await object.getName().finally(() => seen.push('finally'))
    return seen
  }),
  'a stream as result': on('streams', object => object.getStream()),
  'a stream as argument': on('streams', object => object.readStream(new Blob(['sent']).stream())),
  'a Request as argument and a Response as result': on('streams', object =>
    object.answer(new Request('http://object/', { method: 'POST', body: 'posted' })),
  ),

  'fetch() of a URL': on('fetch', object => object.fetch('http://object/echo?a=b')),
  'fetch() with a method, headers and a body': on('fetch', object =>
    object.fetch('http://object/echo', { method: 'PUT', headers: { 'X-Own': 'ü' }, body: 'sent' }),
  ),
  'fetch() of a Request': on('fetch', object =>
    object.fetch(new Request('http://object/echo', { method: 'POST', body: 'sent' })),
  ),
  'fetch() with cf': on('fetch', object =>
    object.fetch(
      new Request('http://object/echo', { cf: { own: { nested: [1] } } as RequestInitCfProperties }),
    ),
  ),
  'fetch() streams both ways': on('fetch', async object => {
    const response = await object.fetch('http://object/stream', {
      method: 'POST',
      body: new Blob(['flow']).stream(),
    })
    return [response.headers.get('x-own'), await response.text()]
  }),
  'fetch() that fails': on('fetch', object => object.fetch('http://object/fail')),
  'fetch() that gives nothing': on('fetch', object => object.fetch('http://object/nothing')),
  'fetch() follows a redirect': on(
    'fetch',
    async object => JSON.parse(await (await object.fetch('http://object/redirect')).text()).url,
  ),
  'fetch() with manual redirect': on('fetch', object =>
    object.fetch('http://object/redirect', { redirect: 'manual' }),
  ),
  'fetch() of a relative URL': on('fetch', object => object.fetch('/echo')),
  'fetch() of nothing': on('fetch', object => loose(object).fetch?.()),
  'fetch() with headers of the platform': on('fetch', async object =>
    JSON.parse(
      await (
        await object.fetch('http://object/echo', {
          headers: { 'skerry-control': 'null', 'x-own': '1' },
        })
      ).text(),
    ).headers.filter(([name]: [string]) => name === 'x-own'),
  ),
  'fetch() of an object that has none': ({ Quiet }) => Quiet.getByName('quiet').fetch('http://object/'),
  'fetch() with a signal': on('fetch', async object => {
    const controller = new AbortController()
    const response = await object.fetch('http://object/echo', { signal: controller.signal })
    return response.status
  }),

  'storage: put, get, list, delete': on('storage', object => object.storage()),
  'storage: kv': on('storage kv', object => object.syncStorage()),
  'storage: sql': on('storage sql', object => object.sql()),
  ...Object.fromEntries(
    ['SELEC 1', 'SELECT * FROM nothing', 'PRAGMA journal_mode', 'CREATE TABLE _cf_x (a)', 'BEGIN'].map(
      (query): [string, Case] => [`sql: ${query}`, on('sql', object => object.sqlFailure(query))],
    ),
  ),
  ...Object.fromEntries(
    ['commit', 'throw', 'rollback'].flatMap((how): [string, Case][] => [
      [`transaction(): ${how}`, on(`transaction ${how}`, object => object.transaction(how))],
      [`setAlarm() in transaction(): ${how}`, on(`alarm ${how}`, object => object.alarmInTransaction(how))],
    ]),
  ),
  'deleteAlarm() in transaction()': on('alarm delete', object => object.alarmInTransaction('delete')),
  ...Object.fromEntries(
    ['commit', 'throw'].flatMap((how): [string, Case][] => [
      [`transactionSync(): ${how}`, on(`sync ${how}`, object => object.transactionSync(how))],
      [
        `setAlarm() in transactionSync(): ${how}`,
        on(`alarm sync ${how}`, object => object.alarmInTransactionSync(how)),
      ],
    ]),
  ),
  'deleteAll()': on('delete all', object => object.deleteAll()),
  'blockConcurrencyWhile()': on('block', object => object.block()),
  'blockConcurrencyWhile() that fails': on('block and fail', async object => [
    await see(() => object.blockAndFail()),
    await object.increment(),
  ]),
  'abort()': on('aborted', async object => {
    await object.increment(5)
    return [await see(() => object.abort('a reason')), await object.increment()]
  }),
  'abort() without a reason': on('aborted for no reason', object => object.abort()),
  'waitUntil()': on('wait until', async object => [
    await object.waitUntil(),
    await waitFor(
      () => object.get('waited') as Promise<unknown>,
      seen => seen === true,
    ),
  ]),

  ...alarmCases,
  'setAlarm() that nobody waits for': on('alarm at once', object => object.alarmAtOnce()),
  'setAlarm() of an object without alarm()': ({ Quiet }) => Quiet.getByName('quiet').setAlarm(FAR),
  'getAlarm() and deleteAlarm() of an object without alarm()': ({ Quiet }) =>
    Quiet.getByName('quiet').readAlarm(),
  'an alarm': alarmRun('run', 1),
  'an alarm that sets itself again': alarmRun('again', 3),
  'an alarm that sets a later one': alarmRun('far', 1),
  'an alarm that sets a later one and fails': alarmRun('far and fail', 1),
  'an alarm that fails once': alarmRun('fail once', 2),
  'getAlarm() after a reset': reset('get', object => object.readAlarm()),
  'getAlarm() after a reset, in blockConcurrencyWhile()': reset('block', object => object.readAlarmBlocked()),
  'getAlarm() after a reset, in transaction()': reset('transaction', object =>
    object.alarmInTransaction('set before'),
  ),
  'setAlarm() after a reset': reset('set', async object => {
    await object.setAlarm(FAR + 1)
    return object.readAlarm()
  }),
  'deleteAlarm() after a reset': reset('delete', async object => {
    await object.deleteAlarm()
    return object.readAlarm()
  }),
  'getAlarm() after deleteAlarm() and a reset': on('deleted, then reset', async (object, { Tried }) => {
    await object.setAlarm(FAR)
    await object.deleteAlarm()
    await see(() => object.abort('reset'))
    return Tried.getByName('deleted, then reset').readAlarm()
  }),
  'calls at once after a reset, which look at the alarm': reset('calls', object =>
    Promise.all([object.lookBetween('a'), object.lookBetween('b')]),
  ),
  'an alarm after a reset': on('alarm after a reset', async (object, { Tried }) => {
    await object.runAlarm('run', 200)
    await see(() => object.abort('reset'))
    // Where it rang before, nobody knows that it did: it rings again.
    const seen = await waitFor(
      () => Tried.getByName('alarm after a reset').alarms() as Promise<unknown>,
      seen => {
        const [alarms, next] = seen as [unknown[] | undefined, number | null]
        return alarms !== undefined && next === null
      },
    )
    return Array.isArray(seen) ? 'it rang' : seen
  }),

  'a WebSocket': on('sockets', async object => talk(await upgrade(object, '/websocket'), ['a', 'b'])),
  'a WebSocket that can hibernate': on('hibernate', async object => {
    const heard = await talk(await upgrade(object, '/hibernate'), ['ping', 'hello', 'close'])
    return heard
  }),
  'a WebSocket closed by its client': on('closed', async object => {
    await talk(await upgrade(object, '/hibernate'), ['hello'])
    return waitFor(
      () => object.get('closed') as Promise<unknown>,
      seen => seen !== undefined,
    )
  }),

  'an object that extends nothing': async ({ Plain }) => {
    const plain = Plain.getByName('plain')
    const fetch = async (path: string) => (await plain.fetch(`http://object${path}`)).json()
    return [
      await fetch('/'),
      await fetch('/far'),
      await fetch('/alarm'),
      await waitFor(
        () => fetch('/'),
        seen => (seen as { fired?: boolean }).fired === true,
      ),
      await see(() => fetch('/fail')),
    ]
  },
  'RPC of an object that extends nothing': ({ Plain }) => loose(Plain.getByName('plain')).method?.(),
}
