import { show } from './workflow-see.ts'

/** Every call of a workflow's binding that differs from others in what it gives, or why it is refused. */

/** @param id of its own for each case; those it makes up itself begin with it */
type Case = (flow: Workflow, id: string) => unknown

const create =
  (options: unknown): Case =>
  (flow, id) =>
    flow.create({ id, ...(options as object) })
const createWith =
  (make: (id: string) => unknown): Case =>
  async (flow, id) =>
    (await flow.create({ id: make(id) } as WorkflowInstanceCreateOptions)).id
const batch =
  (make: (id: string) => unknown): Case =>
  async (flow, id) => {
    const answer: unknown = await flow.createBatch(make(id) as WorkflowBatchCreateOptions)
    if (Array.isArray(answer)) return answer.map(({ id }) => id)
    const { created, errors } = answer as WorkflowBatchCreateResult
    return { created: created.map(({ id }) => id), errors }
  }
const counted = (options: object): Case => {
  const make = batch(() => options)
  return async (flow, id) => {
    const { created, errors } = (await make(flow, id)) as WorkflowBatchCreateResult
    return [created.length, created.map(made => /^[0-9a-f-]{36}$/.test(String(made))), errors]
  }
}
const many = (id: string, count: number) => Array.from({ length: count }, (_, i) => ({ id: `${id}-${i}` }))
const retained = (successRetention: unknown, errorRetention?: unknown) =>
  create({ retention: { successRetention, errorRetention } })

/** The status of an instance that has come to an end. */
export async function untilEnd(instance: WorkflowInstance): Promise<InstanceStatus> {
  let status: InstanceStatus | undefined
  await until(async () => {
    status = await instance.status()
    return ['complete', 'errored', 'terminated'].includes(status.status)
  })
  return status as InstanceStatus
}

/** Waits until a condition holds, which may take long on a machine that is busy. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const endMs = Date.now() + 60_000
  for (let pauseMs = 10; !(await condition()); pauseMs = Math.min(pauseMs * 1.5, 300)) {
    if (Date.now() > endMs) throw new Error('it never came to that')
    await scheduler.wait(pauseMs)
  }
}

/** What `run()` was given, which it returns if it is asked for nothing else. */
const given =
  (make: (id: string) => unknown): Case =>
  async (flow, id) => {
    const instance = await flow.create(make(id) as WorkflowInstanceCreateOptions)
    return (await untilEnd(instance)).output
  }
const unknown =
  (call: (instance: WorkflowInstance) => unknown): Case =>
  async (flow, id) => {
    const instance = await flow.create({ id })
    await untilEnd(instance)
    await instance.delete()
    return call(instance)
  }

export const CALLS: Readonly<Record<string, Case>> = {
  'the text of a workflow': flow => String(flow),
  'the keys of a workflow': flow => Object.keys(flow),
  'the name of the class': flow => flow.constructor.name,
  'the keys of an instance': async flow => Object.keys(await flow.create()),
  'the text of an instance': async flow => String(await flow.create()),
  'the name of the class of an instance': async flow => (await flow.create()).constructor.name,
  'a call is a Promise': flow => flow.create() instanceof Promise,
  'a method that is none': flow => (flow as unknown as { list(): unknown }).list(),

  'create() without argument': async flow => /^[0-9a-f-]{36}$/.test((await flow.create()).id),
  'create() of undefined': async flow => /^[0-9a-f-]{36}$/.test((await flow.create(undefined)).id),
  'create() of {}': async flow => /^[0-9a-f-]{36}$/.test((await flow.create({})).id),
  'create() of null': flow => flow.create(null as unknown as object),
  'create() of a string': flow => flow.create('x' as unknown as object),
  'create() of a number': flow => flow.create(5 as unknown as object),
  'create() of an array': flow => flow.create([] as unknown as object),
  'create() with a field that is none': create({ other: 1 }),
  'create() of a function': flow => flow.create((() => {}) as unknown as object),
  'create() with an id': (flow, id) => flow.create({ id }),
  'create() with an id of 100 characters': createWith(id => id.padEnd(100, 'x')),
  'create() with an id of 101 characters': createWith(id => id.padEnd(101, 'x')),
  'create() with every character that an id may have': createWith(id => `${id}_-azAZ09`),
  'create() with an id that begins with _': createWith(id => `_${id}`),
  'create() with an id that begins with a digit': createWith(id => `0${id}`),
  'create() with an id that begins with -': createWith(id => `-${id}`),
  'create() with an id with a space': createWith(id => `${id} x`),
  'create() with an id with a newline at its end': createWith(id => `${id}\n`),
  'create() with an id with a dot': createWith(id => `${id}.x`),
  'create() with an id with a slash': createWith(id => `${id}/x`),
  'create() with an id with é': createWith(id => `${id}é`),
  'create() with an empty id': createWith(() => ''),
  'create() with undefined as id': createWith(() => undefined),
  'create() with null as id': createWith(() => null),
  'create() with a number as id': createWith(() => 5),
  'create() with an object as id': createWith(() => ({})),
  'create() with the id "batch"': async flow => {
    await flow.get('batch').then(
      instance => instance.delete(),
      () => {},
    )
    return (await flow.create({ id: 'batch' })).id
  },
  'create() with an id that exists': async (flow, id) => {
    await flow.create({ id })
    return flow.create({ id })
  },
  'create() with an id that exists, of another case': async (flow, id) => {
    await flow.create({ id: `${id}a` })
    return (await flow.create({ id: `${id}A` })).id
  },
  'create() twice at once with an id': async (flow, id) => {
    const settled = await Promise.allSettled([flow.create({ id }), flow.create({ id })])
    return settled.map(({ status }) => status).toSorted()
  },
  'create() with an id that was deleted': async (flow, id) => {
    const instance = await flow.create({ id })
    await untilEnd(instance)
    await instance.delete()
    return untilEnd(await flow.create({ id, params: 'again' }))
  },

  'create() with retention in milliseconds': retained(86_400_000, 1000),
  'create() with retention in words': retained('3 days', '1 second'),
  'create() with retention for success only': retained('1 week'),
  'create() with no retention in it': create({ retention: {} }),
  'create() with null as retention': create({ retention: null }),
  'create() with a number as retention': create({ retention: 5 }),
  'create() with a retention of 0': retained(0),
  'create() with a retention of -1': retained(-1),
  'create() with a retention of a half': retained(1.5),
  'create() with NaN as retention': retained(Number.NaN),
  'create() with a retention of no unit': retained('5'),
  'create() with a retention of an unknown unit': retained('5 fortnights'),
  'create() with an empty retention': retained(''),
  'create() with a retention of 0 days': retained('0 days'),
  'create() with a retention of a year': retained('1 year'),
  'create() with null as a retention': retained(null),
  'create() with an unknown field in retention': create({ retention: { other: 1 } }),
  'create() with a bad retention for errors': retained('1 day', 'x'),
  'create() with a location': create({ locationHint: 'weur' }),
  'create() with a location that is none': create({ locationHint: 'moon' }),

  'what run() gets without argument': given(id => ({ id })),
  'what run() gets with params': given(id => ({ id, params: { a: [1] } })),
  'what run() gets with undefined as params': given(id => ({ id, params: undefined })),
  'what run() gets with null as params': given(id => ({ id, params: null })),
  'what run() gets with a number as params': given(id => ({ id, params: 0 })),
  'what run() gets with a string as params': given(id => ({ id, params: '' })),
  'what run() gets with an array as params': given(id => ({ id, params: [1, 2] })),
  'create() with a function as params': create({ params: () => {} }),
  'create() with a function in params': create({ params: { f() {} } }),
  'create() with a symbol as params': create({ params: Symbol('s') }),
  'create() with a Promise as params': create({ params: Promise.resolve(1) }),
  'create() with a Response as params': (flow, id) => flow.create({ id, params: new Response('x') }),
  'create() with a stream as params': (flow, id) => flow.create({ id, params: new Response('x').body }),
  'create() with an instance as params': async (flow, id) => flow.create({ id, params: await flow.create() }),
  'create() with 1 MiB of params': (flow, id) =>
    flow.create({ id, params: new Uint8Array(1024 * 1024 - 200) }),
  'create() with more than 1 MiB of params': (flow, id) =>
    flow.create({ id, params: new Uint8Array(1024 * 1024 + 1) }),

  'createBatch() without argument': flow => (flow.createBatch as () => unknown)(),
  'createBatch() of null': batch(() => null),
  'createBatch() of a string': batch(() => 'abc'),
  'createBatch() of a number': batch(() => 5),
  'createBatch() of {}': batch(() => ({})),
  'createBatch() of an array of none': batch(() => []),
  'createBatch() of an array of one': batch(id => [{ id }]),
  'createBatch() of an array of three': batch(id => many(id, 3)),
  'createBatch() of an array of 101': batch(id => many(id, 101)),
  'createBatch() of an array with an id twice': batch(id => [{ id }, { id }, { id: `${id}-2` }]),
  'createBatch() of an array with an id that exists': async (flow, id) => {
    await flow.create({ id })
    return batch(() => [{ id }, { id: `${id}-2` }])(flow, id)
  },
  'createBatch() of an array with a bad id': batch(id => [{ id }, { id: '-' }]),
  'createBatch() of an array without ids': async flow => {
    const made = await flow.createBatch([{ params: 1 }, {}])
    return made.map(({ id }) => /^[0-9a-f-]{36}$/.test(id))
  },
  'createBatch() of an array with null': batch(() => [null]),
  'createBatch() of an array of strings': batch(() => ['abc']),
  'createBatch() of an array with a bad retention': batch(id => [
    { id, retention: { successRetention: 'x' } },
  ]),
  'createBatch() of an array with a function as params': batch(id => [{ id, params: () => {} }]),
  'createBatch() of a Set': batch(id => new Set([{ id }])),
  'what came of those of createBatch()': async (flow, id) => {
    const made = await flow.createBatch([{ id, params: 'one' }, { id: `${id}-2` }])
    return Promise.all(made.map(untilEnd))
  },
  'createBatch() of instances, none': batch(() => ({ instances: [] })),
  'createBatch() of instances, one': batch(id => ({ instances: [{ id, params: 1 }] })),
  'createBatch() of instances, 101': batch(id => ({ instances: many(id, 101) })),
  'createBatch() of instances, no array': batch(() => ({ instances: 'abc' })),
  'createBatch() of instances, undefined': batch(() => ({ instances: undefined })),
  'createBatch() of instances, one null': batch(() => ({ instances: [null] })),
  'createBatch() of instances, one array': batch(() => ({ instances: [[]] })),
  'createBatch() of instances, one string': batch(() => ({ instances: ['abc'] })),
  'createBatch() of instances, an id twice': batch(id => ({
    instances: [{ id }, { id }, { id: `${id}-2` }],
  })),
  'createBatch() of instances, an id that exists': async (flow, id) => {
    await flow.create({ id })
    return batch(() => ({ instances: [{ id: `${id}-2` }, { id }] }))(flow, id)
  },
  'createBatch() of instances, a bad id': batch(id => ({ instances: [{ id }, { id: 'a b' }] })),
  'createBatch() of instances, a number as id': batch(() => ({ instances: [{ id: 5 }] })),
  'createBatch() of instances, the id "batch"': batch(() => ({ instances: [{ id: 'batch' }] })),
  'createBatch() of instances, the id "terminate"': batch(() => ({ instances: [{ id: 'terminate' }] })),
  'createBatch() of instances, a bad retention': batch(id => ({
    instances: [{ id, retention: { successRetention: 'x' } }],
  })),
  'createBatch() of instances, a retention of 0': batch(id => ({
    instances: [{ id, retention: { errorRetention: 0 } }],
  })),
  'createBatch() of instances, a good retention': batch(id => ({
    instances: [{ id, retention: { errorRetention: '1 day', successRetention: 1000 } }],
  })),
  'createBatch() of instances, a location that is none': batch(id => ({
    instances: [{ id, locationHint: 'moon' }],
  })),
  'createBatch() of a count of 1': counted({ count: 1 }),
  'createBatch() of a count of 3': counted({ count: 3, params: 1 }),
  'createBatch() of a count of 0': counted({ count: 0 }),
  'createBatch() of a count of -1': counted({ count: -1 }),
  'createBatch() of a count of a half': counted({ count: 0.5 }),
  'createBatch() of a count of 101': counted({ count: 101 }),
  'createBatch() of a count in words': counted({ count: '2' }),
  'createBatch() of a count that is undefined': counted({ count: undefined }),
  'createBatch() of a count with a bad retention': counted({
    count: 1,
    retention: { successRetention: 'x' },
  }),
  'createBatch() of a count and instances': counted({ count: 1, instances: [{ id: 'x' }] }),
  'what came of those of a count': async flow => {
    const { created } = await flow.createBatch({ count: 2, params: 'both' })
    const ends = await Promise.all(created.map(untilEnd))
    return ends.map(({ output }) => show((output as { payload: unknown }).payload))
  },

  'get() of one': async (flow, id) => {
    await flow.create({ id })
    return (await flow.get(id)).id
  },
  'get() of an unknown one': (flow, id) => flow.get(id),
  'get() of an id that none can have': flow => flow.get('a b/c'),
  'get() of an empty id': flow => flow.get(''),
  'get() of undefined': flow => flow.get(undefined as unknown as string),
  'get() of a number': flow => flow.get(5 as unknown as string),
  'get() of null': flow => flow.get(null as unknown as string),
  'get() of an object': flow => flow.get({} as unknown as string),

  'the keys of a status': async (flow, id) => Object.keys(await untilEnd(await flow.create({ id }))),
  'status() of one that was deleted': unknown(instance => instance.status()),
  'pause() of one that was deleted': unknown(instance => instance.pause()),
  'resume() of one that was deleted': unknown(instance => instance.resume()),
  'restart() of one that was deleted': unknown(instance => instance.restart()),
  'terminate() of one that was deleted': unknown(instance => instance.terminate()),
  'sendEvent() of one that was deleted': unknown(instance => instance.sendEvent({ type: 'a', payload: 1 })),
  'delete() of one that was deleted': unknown(instance => instance.delete()),
  'subscribe() of one that was deleted': unknown(instance => instance.subscribe()),
  'get() of one that was deleted': async (flow, id) => {
    const instance = await flow.create({ id })
    await untilEnd(instance)
    await instance.delete()
    return flow.get(id)
  },

  'sendEvent() without argument': sendEvent(undefined),
  'sendEvent() of null': sendEvent(null),
  'sendEvent() of {}': sendEvent({}),
  'sendEvent() without payload': sendEvent({ type: 'a' }),
  'sendEvent() with a number as type': sendEvent({ type: 5 }),
  'sendEvent() with an empty type': sendEvent({ type: '' }),
  'sendEvent() with a type of 100 characters': sendEvent({ type: 'x'.repeat(100) }),
  'sendEvent() with a type of 101 characters': sendEvent({ type: 'x'.repeat(101) }),
  'sendEvent() with a type with a dot': sendEvent({ type: 'a.b' }),
  'sendEvent() with a type with a space': sendEvent({ type: 'a b' }),
  'sendEvent() with a type that begins with -': sendEvent({ type: '-a' }),
  'sendEvent() with a function as payload': sendEvent({ type: 'a', payload: () => {} }),
  'sendEvent() with a symbol as payload': sendEvent({ type: 'a', payload: Symbol('s') }),
  'sendEvent() with more than 1 MiB of payload': sendEvent({
    type: 'a',
    payload: new Uint8Array(1024 * 1024 + 1),
  }),

  'deleteBatch() without argument': flow => (flow.deleteBatch as () => unknown)(),
  'deleteBatch() of none': flow => flow.deleteBatch([]),
  'deleteBatch() of 101': (flow, id) => flow.deleteBatch(many(id, 101).map(({ id }) => id)),
  'deleteBatch() of 100 unknown ones': async (flow, id) => {
    const { deleted, errors } = await flow.deleteBatch(many(id, 100).map(({ id }) => id))
    return [deleted.length, errors.length, errors[99]]
  },
  'deleteBatch() of a string': flow => flow.deleteBatch('abc' as unknown as string[]),
  'deleteBatch() of numbers': flow => flow.deleteBatch([5] as unknown as string[]),
  'deleteBatch() with an empty id': flow => flow.deleteBatch(['']),
  'deleteBatch() with an id of 272 characters': flow => flow.deleteBatch(['x'.repeat(272)]),
  'deleteBatch() with an id with a dot': flow => flow.deleteBatch(['a.b']),
  'deleteBatch() of some that exist, twice': async (flow, id) => {
    const ids = [id, `${id}-2`]
    await Promise.all((await flow.createBatch(ids.map(id => ({ id })))).map(untilEnd))
    return [await flow.deleteBatch([id, `${id}-0`, `${id}-2`, id]), await flow.deleteBatch(ids)]
  },

  'restart() from a step that it has not': ended(instance => instance.restart({ from: { name: 'x' } })),
  'restart() from a step without a name': ended(instance =>
    instance.restart({ from: {} as unknown as { name: string } }),
  ),
  'restart() from a string': ended(instance =>
    instance.restart({ from: 'given' as unknown as { name: string } }),
  ),
  'restart() from a count that it has not': ended(instance =>
    instance.restart({ from: { name: 'given', count: 2 } }),
  ),
  'restart() from a type that it has not': ended(instance =>
    instance.restart({ from: { name: 'given', type: 'sleep' } }),
  ),
  'restart() from a type that there is not': ended(instance =>
    instance.restart({ from: { name: 'given', type: 'x' as 'do' } }),
  ),
  'restart() with null': ended(instance => instance.restart(null as unknown as undefined)),
  'restart() with a string': ended(instance => instance.restart('x' as unknown as undefined)),
  'restart() with null as step': ended(instance =>
    instance.restart({ from: null as unknown as { name: string } }),
  ),
  'terminate() of an ended one': ended(instance => instance.terminate()),
  'terminate() of an ended one with its rollbacks': ended(instance => instance.terminate({ rollback: true })),
  'terminate() with null': ended(instance => instance.terminate(null as unknown as undefined)),
  'subscribe()': async (flow, id) => {
    using events = await (await flow.create({ id })).subscribe()
    return typeof events.next
  },
}

function sendEvent(event: unknown): Case {
  return async (flow, id) => {
    const instance = await flow.create({ id })
    return instance.sendEvent(event as { type: string; payload: unknown })
  }
}

/** A call to an instance that is complete. */
function ended(call: (instance: WorkflowInstance) => unknown): Case {
  return async (flow, id) => {
    const instance = await flow.create({ id })
    await untilEnd(instance)
    return call(instance)
  }
}

class Point {
  x = 1
  method(): void {}
}

/** What is sent as params and as an event, and returned by a step and by `run()`. */
export const VALUES: Readonly<Record<string, () => unknown>> = {
  undefined: () => undefined,
  null: () => null,
  false: () => false,
  zero: () => 0,
  '-0': () => -0,
  NaN: () => Number.NaN,
  'a big number': () => 2 ** 60,
  'a BigInt': () => 12n ** 30n,
  'an empty string': () => '',
  'a string': () => 'é\u{1f600}\ud800',
  // biome-ignore lint/suspicious/noSparseArray: what it is about
  'an array with a hole': () => [1, , 3],
  'an object': () => ({ a: { b: [{ c: null }] }, u: undefined }),
  'an instance of a class': () => new Point(),
  'an object without prototype': () => Object.create(null),
  'an object with a getter': () => ({
    get a() {
      return 5
    },
  }),
  'an object with toJSON()': () => ({ a: 1, toJSON: undefined }),
  'a Date': () => new Date(5),
  'an invalid Date': () => new Date(Number.NaN),
  'a RegExp': () => /a+/gi,
  'a Map': () =>
    new Map<unknown, unknown>([
      ['a', new Set([1])],
      [{ k: 1 }, 2],
    ]),
  'a Set': () => new Set(['a', { b: 1 }]),
  'an Error': () => new RangeError('boo', { cause: 5 }),
  'an Error in an object': () => ({ error: new TypeError('bad') }),
  'boxed primitives': () => [Object(5), Object('x'), Object(true), Object(3n)],
  'an ArrayBuffer': () => new Uint8Array([1, 2]).buffer,
  'a Uint8Array': () => new Uint8Array([1, 2, 3]),
  'a part of a buffer': () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
  'other views': () => [
    new Int16Array([-3]),
    new Float64Array([1.5]),
    new DataView(new ArrayBuffer(4), 1, 2),
  ],
  'a circle': () => {
    const a: Record<string, unknown> = { b: [] }
    ;(a.b as unknown[]).push(a)
    return a
  },
  'one object twice': () => {
    const date = new Date(0)
    return [date, date]
  },
  '1,000,000 bytes': () => new Uint8Array(1_000_000),
  'a little more than 1 MiB': () => new Uint8Array(1024 * 1024 + 1),
  'a function': () => () => {},
  'a function in an object': () => ({ f() {} }),
  'a symbol': () => Symbol('s'),
  'a Promise in an object': () => ({ p: Promise.resolve(1) }),
  'a WeakMap': () => new WeakMap(),
  'a Response': () => new Response('x'),
  'a Request': () => new Request('http://x/'),
  'a Headers': () => new Headers({ a: 'b' }),
  'a ReadableStream': () => new Response('x').body,
  'a URL': () => new URL('http://x/'),
  'a Blob': () => new Blob(['x']),
}
