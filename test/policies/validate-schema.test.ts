import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { TooComplex } from '../../routes/policies/validate/schema/check.ts'
import { SchemaCompiler, stepsFor } from '../../routes/policies/validate/schema/compile.ts'
import {
  DRAFTS,
  type Draft,
  draftOf,
  OPENAPI_DIALECTS,
} from '../../routes/policies/validate/schema/dialect.ts'
import { keysOf, keysOfFragment, pointerTo } from '../../routes/policies/validate/schema/pointer.ts'
import { isMultiple } from '../../routes/policies/validate/schema/scalar-keywords.ts'

function compile(
  schema: unknown,
  { draft = '2020-12', formats = true }: { draft?: Draft; formats?: boolean } = {},
) {
  const compiler = new SchemaCompiler(schema, DRAFTS[draft], formats)
  return compiler.compile(compiler.root)
}

/** Errors as `place detail`. */
function errorsOf(schema: unknown, value: unknown, draft?: Draft): string[] {
  const errors = compile(schema, draft && { draft }).errorsOf(value)
  return errors.map(({ path, detail }) => `${pointerTo(...path)} ${detail}`.trim())
}

/** A literal with `then` would look like a promise. */
const CONDITION = JSON.parse('{"if":{"required":["a"]},"then":{"required":["b"]}}') as object

describe('what is wrong, in words', () => {
  const order = {
    type: 'object',
    required: ['id', 'items'],
    additionalProperties: false,
    properties: {
      id: { type: 'string', pattern: '^[a-z]+$', maxLength: 5 },
      items: {
        type: 'array',
        minItems: 1,
        items: {
          type: 'object',
          properties: { price: { type: 'number', minimum: 0 }, tags: { uniqueItems: true } },
        },
      },
      note: { type: ['string', 'null'], minLength: 2 },
      count: { type: 'integer', multipleOf: 5 },
      state: { enum: ['new', 'paid', 3] },
      mail: { type: 'string', format: 'email' },
    },
  }

  test.each<[string, unknown, string[]]>([
    ['nothing', { id: 'a', items: [{ price: 1 }] }, []],
    ['another type', [], ['must be an object, is a list']],
    ['members that are missing', {}, ['/id is missing', '/items is missing']],
    [
      'every entry',
      { id: 'a', items: [{ price: 'x' }, { price: -1 }] },
      ['/items/0/price must be a number, is a text', '/items/1/price must be at least 0, is -1'],
    ],
    [
      'a member of another name',
      { id: 'a', items: [{}], ids: 1 },
      ['/ids is not known here; did you mean "id"?'],
    ],
    ['a list that is too short', { id: 'a', items: [] }, ['/items must have at least 1 entry, has 0']],
    ['a pattern', { id: 'A1', items: [{}] }, ['/id must match the pattern ^[a-z]+$']],
    ['a length', { id: 'abcdef', items: [{}] }, ['/id must have at most 5 characters, has 6']],
    ['several types', { id: 'a', items: [{}], note: 1 }, ['/note must be a text or null, is a number']],
    ['a fraction', { id: 'a', items: [{}], count: 2.5 }, ['/count must be a whole number, is 2.5']],
    ['a step', { id: 'a', items: [{}], count: 7 }, ['/count must be a multiple of 5, is 7']],
    ['a choice', { id: 'a', items: [{}], state: 'old' }, ['/state must be "new", "paid" or 3']],
    ['a format', { id: 'a', items: [{}], mail: 'me' }, ['/mail must be an email address']],
    [
      'an entry that is there twice',
      { id: 'a', items: [{ tags: [{ a: 1, b: 2 }, 1, { b: 2, a: 1 }] }] },
      ['/items/0/tags/2 is in the list already'],
    ],
    ['a member whose name has a slash', { id: 'a', items: [{}], 'a/b~c': 1 }, ['/a~1b~0c is not known here']],
  ])('%s', (_, value, expected) => {
    expect(errorsOf(order, value)).toEqual(expected)
  })

  const payment = {
    oneOf: [
      {
        type: 'object',
        required: ['kind', 'iban'],
        properties: { kind: { const: 'transfer' }, iban: { type: 'string' } },
      },
      {
        type: 'object',
        required: ['kind', 'number'],
        properties: { kind: { const: 'card' }, number: { type: 'string' } },
      },
    ],
  }

  test.each<[string, unknown, unknown, string[]]>([
    [
      'the form that was meant',
      payment,
      { kind: 'card', number: 4 },
      ['/number must be a text, is a number'],
    ],
    ['what tells forms apart', payment, { kind: 'cash' }, ['/kind must be "transfer" or "card"']],
    [
      'types of several forms',
      { anyOf: [{ type: 'string' }, { type: 'number' }] },
      true,
      ['must be a text or a number, is true'],
    ],
    [
      'several forms that fit',
      { oneOf: [{ type: 'number' }, { minimum: 1 }] },
      2,
      ['fits 2 of the forms of which it must fit exactly one'],
    ],
    ['an excluded form', { not: { type: 'null' } }, null, ['is of a form that is excluded here']],
    ['a condition', CONDITION, { a: 1 }, ['/b is missing']],
    [
      'what another member needs',
      { dependentRequired: { a: ['b'] } },
      { a: 1 },
      ['/b is missing: it is needed beside "a"'],
    ],
    [
      'names',
      { propertyNames: { maxLength: 1 } },
      { ab: 1 },
      ['/ab has a name that is not allowed: it must have at most 1 character, has 2'],
    ],
  ])('%s', (_, schema, value, expected) => {
    expect(errorsOf(schema, value)).toEqual(expected)
  })

  test('at most 50 are told, and no text of the value is', () => {
    const errors = errorsOf({ items: { type: 'number' } }, Array(1000).fill('secret'))
    expect(errors).toHaveLength(50)
    expect(errors.join()).not.toContain('secret')
  })
})

describe('a schema is refused', () => {
  test.each<[string, unknown, string, string, Draft?]>([
    [
      'a keyword that is misspelt',
      { properties: { a: { typ: 'string' } } },
      '/properties/a/typ',
      'did you mean "type"',
    ],
    ['a type that there is not', { type: 'text' }, '/type', '"text" is no type'],
    ['a bound that is no number', { minimum: '1' }, '/minimum', '"minimum" must be a number'],
    ['a list under "items" in 2020-12', { items: [{}] }, '/items', 'prefixItems'],
    ['a pattern that is none', { pattern: '(' }, '/pattern', 'is not a regular expression'],
    ['a reference to elsewhere', { $ref: 'other.json#/a' }, '', 'leads out of the document'],
    [
      'a reference to nothing',
      { properties: { a: { $ref: '#/$defs/a' } } },
      '/properties/a',
      'leads nowhere',
    ],
    [
      'a circle',
      { $ref: '#/$defs/a', $defs: { a: { allOf: [{ $ref: '#/$defs/b' }] }, b: { $ref: '#/$defs/a' } } },
      '',
      'circle',
    ],
    ['a schema that is none', { properties: { a: 5 } }, '/properties/a', 'must be a table'],
  ])('%s', (_, schema, pointer, message) => {
    expect(() => compile(schema)).toThrow(message)
    if (pointer !== '') expect(() => compile(schema)).toThrow(expect.objectContaining({ pointer }))
  })

  test.each(['x-mine', 'example', 'title', 'units'])('but not for the note %s', keyword => {
    expect(errorsOf({ [keyword]: 1 }, 1)).toEqual([])
  })
})

describe('references', () => {
  test('to the schema itself work as deeply as values nest', () => {
    const tree = { type: 'object', properties: { next: { $ref: '#' }, n: { type: 'number' } } }
    expect(errorsOf(tree, { next: { next: { next: { n: 'x' } } } })).toEqual([
      '/next/next/next/n must be a number, is a text',
    ])
  })
})

describe('a schema that takes exponential time', () => {
  const part = (type: string) => ({ properties: { a: { $ref: '#/$defs/n' }, b: { type } } })
  const schema = { $ref: '#/$defs/n', $defs: { n: { anyOf: [part('string'), part('number')] } } }
  const nested = (depth: number): unknown => (depth === 0 ? { b: true } : { a: nested(depth - 1), b: true })

  test('is given up', () => {
    expect(errorsOf(schema, nested(3))).not.toEqual([])
    expect(() => errorsOf(schema, nested(40))).toThrow(TooComplex)
  })

  test('steps grow with the value: long ones are checked', () => {
    const list = Array.from({ length: 200_000 }, (_, i) => i)
    const numbers = compile({ type: 'array', items: { type: 'number', minimum: 0 }, uniqueItems: true })
    expect(() => numbers.errorsOf(list)).toThrow(TooComplex)
    expect(numbers.errorsOf(list, stepsFor(JSON.stringify(list).length))).toEqual([])
  })
})

describe('formats', () => {
  test.each([
    ['date', '2024-02-29', '2023-02-29'],
    ['date-time', '2026-11-21t12:00:00.5z', '2026-11-21 12:00:00Z'],
    ['time', '23:59:60Z', '22:59:60Z'],
    ['duration', 'P1Y2M3DT4H', 'P1S'],
    ['email', 'a.b+c@example.com', 'a..b@example.com'],
    ['hostname', 'a-b.example', '-a.example'],
    ['ipv4', '192.0.2.1', '192.0.2.01'],
    ['ipv6', '2001:db8::1', '2001:db8:::1'],
    ['uri', 'https://a.example/b?c#d', '/b'],
    ['uri-reference', '../b', 'a b'],
    ['uuid', '0e37df36-f698-11e6-8dd4-cb9ced3df976', '0e37df36f69811e68dd4cb9ced3df976'],
    ['json-pointer', '/a~1b', 'a'],
    ['byte', 'aGk=', 'aGk'],
  ])('%s: %s, but not %s', (format, right, wrong) => {
    expect(errorsOf({ format }, right)).toEqual([])
    expect(errorsOf({ format }, wrong)).toHaveLength(1)
    expect(compile({ format }, { formats: false }).errorsOf(wrong)).toEqual([])
  })

  test.each([
    ['int32', 2 ** 31 - 1, 2 ** 31],
    ['int64', 2 ** 53, 2 ** 64],
  ])('%s: %d, but not %d', (format, right, wrong) => {
    expect(errorsOf({ format }, right)).toEqual([])
    expect(errorsOf({ format }, wrong)).toHaveLength(1)
  })

  test.each(['email', 'uri', 'hostname', 'duration', 'date-time', 'ipv6', 'json-pointer', 'byte'])(
    '%s takes no long time for any text',
    format => {
      const texts = ['a', '@', 'a@', '/', ':', '1', 'P1', 'a.', '%41', '~0'].map(text =>
        text.repeat(1_000_000),
      )
      const startedAtMs = performance.now()
      for (const text of texts) errorsOf({ format }, text)
      expect(performance.now() - startedAtMs).toBeLessThan(2000)
    },
  )
})

describe('isMultiple()', () => {
  test.each([
    [0.3, 0.1, true],
    [0.35, 0.1, false],
    [19.99, 0.01, true],
    [1e308, 0.5, true],
    [0, 7, true],
    [-6, 3, true],
  ])('%d of %d: %s', (value, step, expected) => {
    expect(isMultiple(value, step)).toBe(expected)
  })

  test('holds for every number of steps', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e6, max: 1e6 }), fc.constantFrom(0.01, 0.1, 0.25, 3), (n, step) => {
        expect(isMultiple(Number((n * step).toFixed(2)), step)).toBe(true)
      }),
    )
  })
})

describe('OpenAPI’s own', () => {
  const check = (version: '3.0' | '3.1', schema: object, value: unknown) => {
    const compiler = new SchemaCompiler(schema, OPENAPI_DIALECTS[version], true)
    return compiler.compile(compiler.root).errorsOf(value).length === 0
  }

  test.each([
    ['3.0: null where it is nullable', '3.0', { type: 'string', nullable: true }, null, true],
    ['3.1: null where it is nullable', '3.1', { type: 'string', nullable: true }, null, false],
    ['3.0: a bound that is excluded', '3.0', { minimum: 1, exclusiveMinimum: true }, 1, false],
    ['3.0: a bound that is not', '3.0', { minimum: 1, exclusiveMinimum: false }, 1, true],
    ['3.1: a bound that is excluded', '3.1', { exclusiveMinimum: 1 }, 1, false],
    [
      'read-only members needn’t be sent',
      '3.1',
      { required: ['id'], properties: { id: { readOnly: true } } },
      {},
      true,
    ],
    ['others must', '3.1', { required: ['id'], properties: { id: {} } }, {}, false],
  ] as const)('%s', (_, version, schema, value, isValid) => {
    expect(check(version, schema, value)).toBe(isValid)
  })
})

test.each([
  ['https://json-schema.org/draft/2019-09/schema', '2019-09'],
  ['http://json-schema.org/draft-07/schema#', '7'],
  ['http://json-schema.org/draft-06/schema#', '7'],
  ['https://example.com/schema', undefined],
])('draftOf() %s: %s', ($schema, draft) => {
  expect(draftOf({ $schema })).toBe(draft)
})

test('keysOf() undoes pointerTo()', () => {
  fc.assert(
    fc.property(fc.array(fc.string()), keys => {
      expect(keysOf(pointerTo(...keys))).toEqual(keys)
      expect(keysOfFragment(encodeURIComponent(pointerTo(...keys)))).toEqual(keys)
    }),
  )
})

/** The cases of JSON-Schema-Test-Suite, as `{ draft: [{ file, description, schema, tests }] }`. */
const SUITE = join(import.meta.dirname, '../../../shared/vectors/json-schema/suite.json')

interface SuiteGroup {
  readonly file: string
  readonly description: string
  readonly schema: unknown
  readonly tests: readonly { readonly description: string; readonly data: unknown; readonly valid: boolean }[]
}

/** Schemas that refer to others in the network, or to a vocabulary without checks. */
const NOT_READ = /leads out of the document/

describe.skipIf(!existsSync(SUITE))(
  'JSON-Schema-Test-Suite (skipped without ../shared/vectors/json-schema)',
  () => {
    const drafts = existsSync(SUITE)
      ? (JSON.parse(readFileSync(SUITE, 'utf8')) as Record<Draft, readonly SuiteGroup[]>)
      : undefined

    test.each(Object.keys(DRAFTS) as Draft[])('draft %s', draft => {
      const wrong: string[] = []
      let checked = 0
      for (const { file, description, schema, tests } of drafts?.[draft] ?? []) {
        if (file === 'vocabulary.json') continue
        let compiled: ReturnType<typeof compile>
        try {
          compiled = compile(schema, { draft, formats: false })
        } catch (error) {
          if (!NOT_READ.test((error as Error).message)) wrong.push(`${file}: ${description}: ${error}`)
          continue
        }
        for (const { description: name, data, valid } of tests) {
          checked++
          if ((compiled.errorsOf(data).length === 0) !== valid) wrong.push(`${file}: ${description}: ${name}`)
        }
      }
      expect(wrong).toEqual([])
      expect(checked).toBeGreaterThan(500)
    })
  },
)
