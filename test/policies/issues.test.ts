import fc from 'fast-check'
import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { findIssues } from '../../routes/policies/issues.ts'
import { nearest } from '../../src/core/nearest.ts'

const schema = v.strictObject({
  name: v.optional(v.pipe(v.string(), v.minLength(2), v.maxLength(4))),
  mode: v.optional(v.picklist(['fast', 'slow', 'off'])),
  two: v.optional(v.picklist(['on', 'off'])),
  count: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(9))),
  list: v.optional(v.pipe(v.array(v.string()), v.minLength(1), v.maxLength(2))),
  map: v.optional(v.record(v.pipe(v.string(), v.regex(/^a/, 'A key begins with "a".')), v.boolean())),
  own: v.optional(v.pipe(v.string(), v.startsWith('/', 'It must begin with "/".'))),
  either: v.optional(
    v.union([
      v.string(),
      v.strictObject({ url: v.string(), weight: v.optional(v.pipe(v.number(), v.maxValue(5))) }),
      v.strictObject({ file: v.string(), line: v.number() }),
    ]),
  ),
  said: v.optional(v.union([v.string(), v.number()], 'Say it with words.')),
})

describe('findIssues()', () => {
  test.each<[input: unknown, path: string, message: string]>([
    [5, '', 'It must be a table, not 5.'],
    [{ name: 5 }, 'name', 'It must be a text, not 5.'],
    [{ name: 'a' }, 'name', 'It must have at least 2 characters, not 1.'],
    [{ name: 'abcde' }, 'name', 'It must have at most 4 characters, not 5.'],
    [{ mode: 'fats' }, 'mode', 'It must be one of "fast", "slow" or "off", not "fats"; did you mean "fast"?'],
    [{ mode: 'purple' }, 'mode', 'It must be one of "fast", "slow" or "off", not "purple".'],
    [{ two: true }, 'two', 'It must be "on" or "off", not true.'],
    [{ count: 0 }, 'count', 'It must be at least 1, not 0.'],
    [{ count: 10 }, 'count', 'It must be at most 9, not 10.'],
    [{ count: 1.5 }, 'count', 'It must be a whole number, not 1.5.'],
    [{ list: [] }, 'list', 'It must have at least 1 entry, not 0.'],
    [{ list: ['a', 'b', 'c'] }, 'list', 'It must have at most 2 entries, not 3.'],
    [{ list: ['a', {}] }, 'list.1', 'It must be a text, not a table.'],
    [{ map: { b: true } }, 'map.b', 'A key begins with "a".'],
    [{ map: { a: 'yes' } }, 'map.a', 'It must be true or false, not "yes".'],
    [{ own: 'x' }, 'own', 'It must begin with "/".'],
    [{ nmae: 'abc' }, 'nmae', '"nmae" is not known here; did you mean "name"?'],
    [{ either: 5 }, 'either', 'It must be a text or a table, not 5.'],
    [{ either: { url: 'a', weight: 6 } }, 'either.weight', 'It must be at most 5, not 6.'],
    [
      { either: { url: 'a', wieght: 1 } },
      'either.wieght',
      '"wieght" is not known here; did you mean "weight"?',
    ],
    [{ either: { file: 'a', line: 'b' } }, 'either.line', 'It must be a number, not "b".'],
    [{ said: [] }, 'said', 'Say it with words.'],
    [{ name: null }, 'name', 'It must be a text, not nothing.'],
    [{ own: 'y'.repeat(200), name: 'x'.repeat(9) }, 'own', 'It must begin with "/".'],
  ])('of %j says of %j: %s', (input, path, message) => {
    expect(findIssues(schema, input).map(issue => [issue.path.join('.'), issue.message])).toContainEqual([
      path,
      message,
    ])
  })

  test('finds every key that is not known, and says that keys are meant', () => {
    expect(findIssues(schema, { a: 1, b: 2 })).toMatchObject([
      { path: ['a'], at: 'key' },
      { path: ['b'], at: 'key' },
    ])
  })

  test('finds nothing in what is right', () => {
    expect(findIssues(schema, { name: 'abc', either: { url: 'x' }, list: ['a'] })).toEqual([])
  })

  test('has words of our own for whatever is wrong', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.constantFrom(...Object.keys(schema.entries), 'x'), fc.jsonValue()),
        input => {
          for (const { message } of findIssues(schema, input))
            expect(message).not.toMatch(/Invalid|Expected|received/)
        },
      ),
    )
  })
})

describe('nearest()', () => {
  test.each([
    ['custmers', ['customers', 'orders'], 'customers'],
    ['usre', ['user', 'use'], 'user'],
    ['GET', ['get'], 'get'],
    ['abc', ['xyz'], undefined],
    ['ab', ['ac'], undefined],
    ['abc', ['abd'], 'abd'],
    ['', ['a'], undefined],
  ])('of %j in %j is %j', (wanted, known, meant) => {
    expect(nearest(wanted, known)).toBe(meant)
  })

  test('finds the name itself, and whatever is one edit away from a name of three letters or more', () => {
    const name = fc.string({ minLength: 3, maxLength: 12 })
    fc.assert(
      fc.property(name, fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (known, at, letter) => {
        const place = at % known.length
        const edited = known.slice(0, place) + letter + known.slice(place + 1)
        expect(nearest(edited, [known])).toBe(known)
      }),
    )
  })
})
