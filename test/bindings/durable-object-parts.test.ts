import { describe, expect, test } from 'vitest'
import type { BindScope } from '../../bindings/binding.ts'
import {
  afterFailure,
  afterOutage,
  isLastTry,
  MAX_ALARM_RETRIES,
  type ObjectAlarm,
} from '../../bindings/durable-object/alarms.ts'
import { throwFailure, toFailureResponse, withObjectId } from '../../bindings/durable-object/failures.ts'
import { durableObject } from '../../bindings/durable-object/kind.ts'
import { toNamedId } from '../../bindings/durable-object/named-id.ts'
import {
  forgetRunning,
  noteRunning,
  objectsWithSockets,
  type Running,
  recallRunning,
} from '../../bindings/durable-object/running.ts'
import {
  checkPath,
  decodeHeader,
  encodeHeader,
  type ObjectTarget,
  toHostName,
  toTarget,
} from '../../bindings/durable-object/target.ts'

const SCOPE = { accountId: 'a'.repeat(32), namespaceId: 'b'.repeat(32), script: 'rooms', className: 'Room' }
const ID = 'c'.repeat(64)

describe('an alarm that fails', () => {
  const first: ObjectAlarm = { scheduledTime: 1000, dueMs: 1000, retryCount: 0 }

  test('is tried again after 2, 4, 8, 16, 32 and 64 seconds, then given up', () => {
    const pauses: number[] = []
    let alarm: ObjectAlarm | undefined = first
    while (alarm) {
      const next = afterFailure(alarm, 10_000)
      if (next) pauses.push(next.dueMs - 10_000)
      expect(isLastTry(alarm)).toBe(next === undefined)
      alarm = next
    }
    expect(pauses).toEqual([2000, 4000, 8000, 16_000, 32_000, 64_000])
    expect(pauses).toHaveLength(MAX_ALARM_RETRIES)
  })

  test('keeps the time it was scheduled for', () => {
    expect(afterFailure(first, 5000)).toEqual({ scheduledTime: 1000, dueMs: 7000, retryCount: 1 })
  })

  test('for the sake of the platform loses no try', () => {
    expect(afterOutage(first, 5000)).toEqual({ scheduledTime: 1000, dueMs: 10_000, retryCount: 0 })
  })
})

describe('toTarget()', () => {
  test('is in the namespace of the binding, whatever the address says', () => {
    const address = { id: ID, name: 'n', accountId: 'other', namespaceId: 'other', script: 'other', more: 1 }
    expect(toTarget(SCOPE, address)).toEqual({ ...SCOPE, id: ID, name: 'n' })
    expect(toHostName(toTarget(SCOPE, address) as ObjectTarget)).toBe(
      `${SCOPE.accountId}/${SCOPE.namespaceId}/${ID}`,
    )
  })

  test.each([
    undefined,
    null,
    'text',
    {},
    { id: 5 },
    { id: ID.slice(1) },
    { id: `${ID}c` },
    { id: ID.toUpperCase() },
    { id: `${ID.slice(3)}/..` },
  ])('refuses %j', address => {
    expect(() => toTarget(SCOPE, address)).toThrow('Invalid Durable Object ID: must be 64 hex digits')
  })

  test('makes the id of an address that has a name alone, in the namespace of the binding', async () => {
    const id = await toNamedId(SCOPE.namespaceId, 'n', undefined)
    expect(await toTarget(SCOPE, { name: 'n', namespaceId: 'other' })).toEqual({ ...SCOPE, id, name: 'n' })
  })

  test.each([5, {}, null])('leaves out a name that is %j', name => {
    expect(toTarget(SCOPE, { id: ID, name })).toEqual({ ...SCOPE, id: ID })
  })
})

describe('what is known of running facets', () => {
  const host = (id: string) => id as unknown as DurableObjectId
  const running = (key: string, withSockets?: ObjectTarget): Running => ({
    ...{ key, isTailing: false, isPlain: false, hasAlarm: undefined, withSockets },
  })

  test('is what was noted last, until it is forgotten', () => {
    noteRunning(host('a'), running('old'))
    noteRunning(host('a'), running('new'))
    expect(recallRunning(host('a'))).toMatchObject({ key: 'new' })
    forgetRunning(host('a'))
    expect(recallRunning(host('a'))).toBeUndefined()
  })

  test('names those that have WebSockets', () => {
    const target = { ...SCOPE, id: '1' }
    noteRunning(host('with'), running('theirs', target))
    noteRunning(host('without'), running('theirs'))
    expect(objectsWithSockets()).toEqual([{ target, key: 'theirs' }])
    forgetRunning(host('with'))
    expect(objectsWithSockets()).toEqual([])
  })

  test('is forgotten of those that nobody asked for the longest, beyond 50,000', () => {
    for (const id of ['first', 'second']) noteRunning(host(id), running(id))
    for (let i = 0; i < 49_998; i++) noteRunning(host(`other ${i}`), running('other'))
    expect(recallRunning(host('first'))).toMatchObject({ key: 'first' })
    noteRunning(host('one more'), running('more'))
    expect(recallRunning(host('first'))).toMatchObject({ key: 'first' })
    expect(recallRunning(host('second'))).toBeUndefined()
  })
})

describe('checkPath()', () => {
  test.each([[['method']], [['tools', 'add']]])('takes %j', path => {
    expect(checkPath(path)).toEqual(path)
  })

  test.each([[undefined], ['method'], [[]], [[5]], [['a', {}]]])('refuses %j', path => {
    expect(() => checkPath(path)).toThrow('The path of a call must be an array of names.')
  })

  test.each(['skerryFlush', 'skerryAlarm'])("answers for the host's call %s as for none", method => {
    expect(() => checkPath([method])).toThrow(`The RPC receiver does not implement the method "${method}".`)
  })

  test.each(['fetch', 'connect', 'constructor', '__proto__', 'scheduled'])(
    'refuses what a stub has: %s',
    name => {
      expect(() => checkPath([name])).toThrow('is a reserved method and cannot be called over RPC.')
    },
  )
})

describe('a header', () => {
  test.each([{ id: ID, name: 'ключ, "é"\n\u{1f600}' }, null, { id: '' }])('carries %j', value => {
    const text = encodeHeader(value)
    expect(text).toMatch(/^[\x21-\x7e]*$/)
    expect(decodeHeader(text)).toEqual(value)
  })

  test.each([null, '', '%', '%zz', '{', 'text'])('that is %j is nothing', text => {
    expect(decodeHeader(text)).toBeUndefined()
  })
})

describe("an object's failure as an answer", () => {
  test.each([
    new RangeError('too far'),
    Object.assign(new TypeError('wrong'), { code: 'E', retryable: true, remote: true }),
    Object.assign(new Error('own'), { name: 'OwnError' }),
  ])('is thrown again: %s', async error => {
    const thrown = await throwFailure(toFailureResponse(error)).catch((reason: Error) => reason)
    expect(thrown).toEqual(error)
    expect((thrown as Error).name).toBe(error.name)
    expect((thrown as Error).constructor).toBe(error.constructor)
  })

  test('is none for other answers', async () => {
    const response = new Response('{}', { status: 500 })
    expect(await throwFailure(response)).toBe(response)
  })

  test('names the object as the function knows it, if it names one', () => {
    expect(withObjectId(Object.assign(new Error('a'), { durableObjectId: 'host' }), ID)).toMatchObject({
      durableObjectId: ID,
    })
    expect(withObjectId(new Error('a'), ID)).not.toHaveProperty('durableObjectId')
    expect(withObjectId('text', ID)).toBe('text')
  })
})

describe('a durable_object_namespace binding', () => {
  test('is parsed', () => {
    expect(durableObject.parse({ class_name: 'Room', namespace_id: 'x', environment: 'y' }, 'ROOM')).toEqual({
      ...{ type: 'durable_object_namespace', name: 'ROOM', class_name: 'Room' },
    })
    expect(durableObject.parse({ class_name: 'Room', script_name: 'rooms' }, 'ROOM')).toMatchObject({
      script_name: 'rooms',
    })
  })

  test.each([
    [{}, '`class_name` is missing'],
    [{ class_name: '' }, '`class_name` is ""'],
    [{ class_name: 5 }, '`class_name` is 5'],
    [{ class_name: 'SkerryHarness' }, 'reserved'],
    [{ class_name: 'Room', script_name: '' }, '`script_name` is ""'],
    [{ class_name: 'Room', script_name: 5 }, '`script_name` is 5'],
  ])('is refused: %j', (input, message) => {
    expect(() => durableObject.parse(input, 'ROOM')).toThrow(message)
  })

  test('reaches the namespace that the version resolved, and fails without one', () => {
    const exports = { DurableObjectEntrypoint: ({ props }: { props: unknown }) => props }
    const spec = { type: 'durable_object_namespace', name: 'ROOM', class_name: 'Room' } as const
    const scope = {
      accountId: SCOPE.accountId,
      script: 'rooms',
      exports,
      resources: {},
    } as unknown as BindScope
    const resources = { 'durable_object_namespace/rooms/Room': SCOPE.namespaceId }
    expect(durableObject.bind(spec, { ...scope, resources })).toEqual({
      objects: SCOPE,
      id: SCOPE.namespaceId,
    })
    expect(() => durableObject.bind(spec, scope)).toThrow('has no namespace')
    expect(() => durableObject.bind({ ...spec, script_name: 'other' }, { ...scope, resources })).toThrow(
      'the class "Room" of "other" has no namespace',
    )
  })
})
