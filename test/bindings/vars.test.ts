import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { BindScope } from '../../bindings/binding.ts'
import { bindEnv, KINDS, parseBindings } from '../../bindings/index.ts'
import { LIMITS } from '../../src/core/limits.ts'

const SCOPE: BindScope = {
  accountId: 'account-1',
  script: 'script-1',
  versionId: 'version-1',
  versionTag: 'tag-1',
  createdOn: '2026-11-01T00:00:00.000000Z',
  kvPrefixes: {},
  resources: {},
  // No kind in this file makes a stub.
  exports: {} as BindScope['exports'],
}

const text = (value: unknown, name: unknown = 'A') => ({ type: 'plain_text', name, text: value })
const failsWith = (code: string, problem: string) =>
  expect.objectContaining({ code, detail: expect.stringContaining(problem) })

describe('parseBindings() keeps the fields that have a meaning', () => {
  test.each([
    [text('')],
    [text('x'.repeat(LIMITS.variableBytes))],
    [{ type: 'json', name: 'A', json: null }],
    [{ type: 'json', name: 'A', json: { nested: [1, false] } }],
    [{ type: 'secret_text', name: 'A', text: 'secret' }],
    [{ type: 'version_metadata', name: 'A' }],
    [{ type: 'wasm_module', name: 'A', part: 'module.wasm' }],
    [{ type: 'text_blob', name: 'A', part: 'text' }],
    [{ type: 'data_blob', name: 'A', part: 'data' }],
    [{ type: 'inherit', name: 'A' }],
  ])('%j', binding => {
    expect(parseBindings([{ ...binding, unknown_field: 1 }])).toEqual([binding])
  })
})

describe('parseBindings() refuses', () => {
  test.each<[what: string, raw: unknown[], problem: string]>([
    ['what is no object', ['x'], 'bindings[0] is "x"'],
    ['an array', [text('a'), []], 'bindings[1] is an array'],
    ['a missing name', [{ type: 'json' }], 'bindings[0]: `name` is missing'],
    ['an empty name', [text('a', '')], '`name` is ""'],
    ['a missing type', [{ name: 'A' }], 'Binding "A": `type` is missing'],
    ['a name used twice', [text('a'), text('b')], 'Binding "A": the name is used twice'],
    ['a text that is none', [text(5)], 'Binding "A": `text` is 5. It must be a string.'],
    ['a missing text', [{ type: 'secret_text', name: 'A' }], '`text` is missing'],
    ['a missing json', [{ type: 'json', name: 'A' }], '`json` is missing'],
    ['a part that is none', [{ type: 'wasm_module', name: 'A', part: '' }], '`part` is ""'],
    [
      'a text of one byte too many',
      [text('x'.repeat(LIMITS.variableBytes + 1))],
      `has ${LIMITS.variableBytes + 1} bytes`,
    ],
    ['a text too long in bytes only', [text('é'.repeat(LIMITS.variableBytes / 2 + 1))], 'bytes; at most'],
    [
      'a JSON value too long',
      [{ type: 'json', name: 'A', json: 'x'.repeat(LIMITS.variableBytes) }],
      'bytes; at most',
    ],
  ])('%s', (_what, raw, problem) => {
    expect(() => parseBindings(raw)).toThrow(failsWith('ERR_BINDING_INVALID', problem))
  })

  test('one binding more than the limit', () => {
    const many = (count: number) => Array.from({ length: count }, (_, i) => text('', `A${i}`))
    expect(parseBindings(many(LIMITS.bindings))).toHaveLength(LIMITS.bindings)
    expect(() => parseBindings(many(LIMITS.bindings + 1))).toThrow(
      failsWith('ERR_BINDING_INVALID', `${LIMITS.bindings + 1} bindings; at most ${LIMITS.bindings}`),
    )
  })

  test.each([
    'agent_memory',
    'ai',
    'ai_search_namespace',
    'artifacts',
    'browser',
    'dispatch_namespace',
    'flagship',
    'hyperdrive',
    'images',
    'mtls_certificate',
    'pipelines',
    'secrets_store_secret',
    'send_email',
    'vectorize',
    'vpc_network',
    'worker_loader',
  ])('%s by its name, with a way out', type => {
    expect(() => parseBindings([{ type, name: 'A' }])).toThrow(
      expect.objectContaining({
        code: 'ERR_BINDING_UNSUPPORTED',
        detail: expect.stringMatching(
          new RegExp(`^Binding "A": the type ${type} is not supported .+platform\\. [A-Z].+`),
        ),
      }),
    )
  })

  test.each(['no_such_type', '__proto__', 'constructor', 'toString'])('the unknown type %s', type => {
    expect(() => parseBindings([{ type, name: 'A' }])).toThrow(
      failsWith(
        'ERR_BINDING_UNSUPPORTED',
        `the type "${type}" is unknown. Known are ${Object.keys(KINDS).join(', ')}`,
      ),
    )
  })
})

describe('a binding’s name', () => {
  test.each(['A', 'a', '_', '$x', 'MY_VAR2', 'my-key', 'my.key', 'naïve', 'x'.repeat(255)])(
    'may be %s',
    name => {
      expect(parseBindings([text('', name)])).toEqual([text('', name)])
    },
  )

  test.each(['1A', '-a', 'a b', 'a\n', 'a"b', '__proto__', 'a[0]', 'x'.repeat(256)])(
    'may not be %j',
    name => {
      expect(() => parseBindings([text('', name)])).toThrow(failsWith('ERR_BINDING_INVALID', 'the name'))
    },
  )
})

test('parseBindings() only ever throws coded errors', () => {
  const field = fc.oneof(
    fc.string(),
    fc.constantFrom(...Object.keys(KINDS)),
    fc.jsonValue(),
    fc.constant(undefined),
  )
  const binding = fc.record({
    type: field,
    name: field,
    text: field,
    json: field,
    simple: field,
    service: field,
  })
  fc.assert(
    fc.property(fc.array(fc.oneof(binding, fc.jsonValue()), { maxLength: 4 }), raw => {
      try {
        parseBindings(raw)
      } catch (error) {
        expect(error).toHaveProperty('code', expect.stringMatching(/^ERR_BINDING_(INVALID|UNSUPPORTED)$/))
      }
    }),
  )
})

test('bindEnv() gives each binding’s value by name', () => {
  const env = bindEnv(
    [
      { type: 'plain_text', name: 'TEXT', text: 'text' },
      { type: 'json', name: 'JSON', json: { a: [1] } },
      { type: 'secret_text', name: 'SECRET', text: 'secret' },
      { type: 'version_metadata', name: 'VERSION' },
      { type: 'wasm_module', name: 'WASM', part: 'part' },
    ],
    SCOPE,
  )
  expect(env).toEqual({
    TEXT: 'text',
    JSON: { a: [1] },
    SECRET: 'secret',
    VERSION: { id: 'version-1', tag: 'tag-1', timestamp: '2026-11-01T00:00:00.000000Z' },
  })
})
