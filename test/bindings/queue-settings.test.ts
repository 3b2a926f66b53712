import { describe, expect, test } from 'vitest'
import { parseBindings } from '../../bindings/index.ts'
import { checkQueueName } from '../../bindings/queue/kind.ts'
import { checkBatch, checkSize, isProblem, readMessage } from '../../bindings/queue/producer.ts'
import { parseConsumer, parseSettings } from '../../bindings/queue/settings.ts'

describe('parseConsumer()', () => {
  test("gives Cloudflare's defaults", () => {
    expect(parseConsumer({ type: 'worker', script_name: 'w', settings: {} })).toEqual({
      type: 'worker',
      script: 'w',
      settings: {
        batch_size: 10,
        max_retries: 3,
        retry_delay: 0,
        max_wait_time_ms: 5000,
        max_concurrency: null,
      },
    })
    expect(parseConsumer({ type: 'http_pull' }).settings).toEqual({
      batch_size: 10,
      max_retries: 3,
      retry_delay: 0,
      visibility_timeout_ms: 30_000,
    })
  })

  test.each([
    { field: 'batch_size', min: 1, max: 100 },
    { field: 'max_retries', min: 0, max: 100 },
    { field: 'retry_delay', min: 0, max: 86_400 },
    { field: 'max_wait_time_ms', min: 0, max: 60_000 },
    { field: 'max_concurrency', min: 1, max: 250 },
  ])('takes $field from $min to $max', ({ field, min, max }) => {
    const parse = (value: unknown) =>
      parseConsumer({ type: 'worker', script_name: 'w', settings: { [field]: value } }).settings
    expect(parse(min)).toMatchObject({ [field]: min })
    expect(parse(max)).toMatchObject({ [field]: max })
    const refusal = `\`${field}\` is %. It must be an integer from ${min} to ${max}.`
    for (const wrong of [min - 1, max + 1, 1.5, true]) {
      expect(() => parse(wrong)).toThrow(refusal.replace('%', String(wrong)))
    }
    expect(() => parse('7')).toThrow(refusal.replace('%', '"7"'))
  })

  test.each([
    [{ type: 'mail' }, '`type` is "mail"'],
    [{ type: 'worker' }, '`script_name` is missing'],
    [{ type: 'http_pull', settings: [] }, '`settings` is an array'],
    [{ type: 'http_pull', dead_letter_queue: 5 }, '`dead_letter_queue` is 5'],
  ])('refuses %j', (body, message) => {
    expect(() => parseConsumer(body)).toThrow(message)
  })
})

describe('parseSettings()', () => {
  test('changes only what is named', () => {
    expect(parseSettings(undefined)).toEqual({})
    expect(parseSettings({ delivery_paused: true })).toEqual({ delivery_paused: true })
  })
  test.each([
    { field: 'delivery_delay', min: 0, max: 86_400 },
    { field: 'message_retention_period', min: 60, max: 1_209_600 },
  ])('takes $field from $min to $max', ({ field, min, max }) => {
    expect(parseSettings({ [field]: min })).toEqual({ [field]: min })
    expect(parseSettings({ [field]: max })).toEqual({ [field]: max })
    expect(() => parseSettings({ [field]: min - 1 })).toThrow(`\`${field}\` is ${min - 1}`)
    expect(() => parseSettings({ [field]: max + 1 })).toThrow(`\`${field}\` is ${max + 1}`)
  })
})

describe("a queue's name", () => {
  test.each(['a', 'my-queue', 'My_Queue9', 'q'.repeat(63)])('may be %s', name => {
    expect(checkQueueName(name)).toBeUndefined()
  })
  test.each(['', '-a', 'a-', 'a b', 'a/b', 'ä', 'q'.repeat(64)])('may not be "%s"', name => {
    expect(checkQueueName(name)).toEqual(expect.any(String))
  })
})

describe('a queue binding', () => {
  const parse = (fields: object) => parseBindings([{ type: 'queue', name: 'Q', ...fields }])
  test('keeps name and delay', () => {
    expect(parse({ queue_name: 'jobs', delivery_delay: 86_400, extra: 1 })).toEqual([
      { type: 'queue', name: 'Q', queue_name: 'jobs', delivery_delay: 86_400 },
    ])
    expect(parse({ queue_name: 'jobs', delivery_delay: null })).toEqual([
      { type: 'queue', name: 'Q', queue_name: 'jobs' },
    ])
  })
  test.each([
    [{}, 'Binding "Q": `queue_name` is missing'],
    [{ queue_name: 'a b' }, 'Binding "Q": `queue_name` is "a b", which is no name'],
    [{ queue_name: 'a', delivery_delay: 86_401 }, '`delivery_delay` is 86401'],
    [{ queue_name: 'a', delivery_delay: '1' }, '`delivery_delay` is "1"'],
  ])('refuses %j', (fields, message) => {
    expect(() => parse(fields)).toThrow(message)
  })
})

describe('messages that come without the facade', () => {
  test.each<[unknown, string]>([
    [null, "not of type 'MessageSendRequest'"],
    ['text', "not of type 'MessageSendRequest'"],
    [{ type: 'json', kind: 'undefined' }, 'cannot be undefined'],
    [{ type: 'constructor', kind: 'string' }, 'Unsupported queue message content type: constructor'],
    [{ type: 'json', kind: 'object', body: { a: 1 } }, 'ArrayBufferView'],
    [{ type: 'text', kind: 'string', body: 'not bytes' }, 'requires a value of type string'],
    [{ type: 'bytes', kind: 'object', body: new Uint8Array(1), delay: 86_401 }, 'between 0 and 86400'],
  ])('are refused: %j', (input, error) => {
    const read = readMessage(input)
    expect(isProblem(read) && read.error).toContain(error)
  })

  const message = (size: number) => ({ type: 'bytes' as const, body: new Uint8Array(size) })
  test('have 128,000 bytes at most', () => {
    expect(checkSize(message(128_000))).toBeUndefined()
    expect(checkSize(message(128_001))).toMatchObject({ code: 10204 })
  })
  test('come at most 100 at once, of 256,000 bytes', () => {
    expect(checkBatch(Array.from({ length: 100 }, () => message(1)))).toBeUndefined()
    expect(checkBatch(Array.from({ length: 101 }, () => message(1)))).toMatchObject({ code: 10206 })
    expect(checkBatch([message(128_000), message(128_000)])).toBeUndefined()
    expect(checkBatch([message(128_000), message(128_000), message(1)])).toMatchObject({ code: 10205 })
  })
})
