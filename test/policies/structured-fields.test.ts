import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import {
  type BareItem,
  type Dictionary,
  DisplayString,
  type InnerList,
  type Item,
  type List,
  type Parameters,
  parseDictionary,
  parseItem,
  parseList,
  serializeDictionary,
  serializeItem,
  serializeList,
  Token,
} from '../../routes/policies/structured-fields.ts'

/** One case of https://github.com/httpwg/structured-field-tests. */
interface Case {
  readonly file: string
  readonly name: string
  /** The field's lines. */
  readonly raw: readonly string[]
  readonly header_type: 'item' | 'list' | 'dictionary'
  readonly expected?: unknown
  readonly must_fail?: boolean
  readonly can_fail?: boolean
  /** How it is written; absent: as `raw`. */
  readonly canonical?: readonly string[]
}

const VECTORS = join(import.meta.dirname, '../../../shared/vectors/http/structured-fields.json')
const cases: readonly Case[] = existsSync(VECTORS) ? JSON.parse(readFileSync(VECTORS, 'utf8')).vectors : []

/** What is read or written otherwise than the cases want, and why that is no harm. */
const DIFFERENCES: readonly { readonly why: string; readonly isMeant: (each: Case) => boolean }[] = [
  {
    why: 'a decimal without fraction is a JavaScript integer: 1.0 is written as 1. No field of ours has decimals.',
    isMeant: ({ canonical, raw }) => /\d\.0+(?!\d)/.test((canonical ?? raw).join(', ')),
  },
  {
    why: 'a date beyond 275,760 is no `Date`: it is read as an invalid one.',
    isMeant: ({ name }) => /^syntactic (min|max) date/.test(name),
  },
]
const isAlike = (each: Case): boolean => !DIFFERENCES.some(({ isMeant }) => isMeant(each))

describe.skipIf(cases.length === 0)('structured fields, by the published cases (absent: skipped)', () => {
  test('what is no structured field is undefined', () => {
    const wrong = cases.filter(each => each.must_fail && parse(each) !== undefined)
    expect(wrong.map(toTitle)).toEqual([])
    expect(cases.filter(each => each.must_fail).length).toBeGreaterThan(800)
  })

  test('what is one is read as expected', () => {
    const wrong = cases.filter(
      each => each.expected && !each.can_fail && isAlike(each) && !isAsExpected(each),
    )
    expect(wrong.map(toTitle)).toEqual([])
  })

  test('what was read is written in canonical form', () => {
    const wrong = cases.filter(each => {
      if (!each.expected || !isAlike(each)) return false
      const parsed = parse(each)
      if (parsed === undefined) return !each.can_fail
      return write(each, parsed) !== (each.canonical ?? each.raw).join(', ')
    })
    expect(wrong.map(toTitle)).toEqual([])
  })

  test.each(DIFFERENCES)('but $why', ({ isMeant }) => {
    const meant = cases.filter(isMeant)
    expect(meant.length).toBeGreaterThan(0)
    expect(meant.filter(each => !each.must_fail && parse(each) === undefined).map(toTitle)).toEqual([])
  })
})

describe('parseItem(), parseList(), parseDictionary()', () => {
  test.each([
    ['an absent field', null],
    ['a broken one', '"open'],
    ['one beyond 64 KiB', 'a'.repeat(64 * 1024 + 1)],
  ])('of %s are undefined', (_what, text) => {
    expect([parseItem(text), parseList(text), parseDictionary(text)]).toEqual([
      undefined,
      undefined,
      undefined,
    ])
  })

  test('read 64 KiB', () => {
    expect(parseItem('a'.repeat(64 * 1024))).toBeDefined()
  })
})

test('serializeDictionary() writes what RateLimit-Policy and Cache-Status want', () => {
  expect(
    serializeList([
      [
        'fair',
        new Map([
          ['q', 100],
          ['w', 60],
        ] as [string, BareItem][]),
      ],
    ]),
  ).toBe('"fair";q=100;w=60')
  const status = new Map<string, BareItem>([
    ['hit', true],
    ['ttl', 30],
    ['key', 'a"b'],
  ])
  expect(serializeList([[new Token('Skerry'), status]])).toBe('Skerry;hit;ttl=30;key="a\\"b"')
  expect(serializeDictionary({ u: 3, i: true })).toBe('u=3, i')
  expect(() => serializeItem('é')).toThrow()
})

type Parsed = Item | List | Dictionary

function parse({ header_type: type, raw }: Case): Parsed | undefined {
  const text = raw.join(', ')
  return type === 'item' ? parseItem(text) : type === 'list' ? parseList(text) : parseDictionary(text)
}

function write({ header_type: type }: Case, parsed: Parsed): string {
  if (type === 'item') return serializeItem(...(parsed as Item))
  return type === 'list' ? serializeList(parsed as List) : serializeDictionary(parsed as Dictionary)
}

function isAsExpected(each: Case): boolean {
  const parsed = parse(each)
  return (
    parsed !== undefined && JSON.stringify(toJson(each.header_type, parsed)) === JSON.stringify(each.expected)
  )
}

/** As the cases spell what was read. */
function toJson(type: Case['header_type'], parsed: Parsed): unknown {
  if (type === 'item') return itemToJson(parsed as Item)
  if (type === 'list') return (parsed as List).map(memberToJson)
  return [...(parsed as Dictionary)].map(([key, member]) => [key, memberToJson(member)])
}

function memberToJson(member: Item | InnerList): unknown {
  const [value, parameters] = member
  return Array.isArray(value)
    ? [value.map(itemToJson), parametersToJson(parameters)]
    : itemToJson(member as Item)
}

const itemToJson = ([value, parameters]: Item): unknown => [bareToJson(value), parametersToJson(parameters)]
const parametersToJson = (parameters: Parameters): unknown =>
  [...parameters].map(([key, value]) => [key, bareToJson(value)])

function bareToJson(value: BareItem): unknown {
  if (value instanceof Token) return { __type: 'token', value: String(value) }
  if (value instanceof DisplayString) return { __type: 'displaystring', value: String(value) }
  if (value instanceof Date) return { __type: 'date', value: value.getTime() / 1000 }
  if (value instanceof ArrayBuffer) return { __type: 'binary', value: toBase32(new Uint8Array(value)) }
  return value
}

function toBase32(bytes: Uint8Array): string {
  const bits = [...bytes].map(byte => byte.toString(2).padStart(8, '0')).join('')
  const digits = (bits.match(/.{1,5}/g) ?? []).map(group => BASE32[Number.parseInt(group.padEnd(5, '0'), 2)])
  return digits.join('').padEnd(Math.ceil(digits.length / 8) * 8, '=')
}

const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'

const toTitle = (each: Case): string => `${each.file}: ${each.name}: ${each.raw.join(', ').slice(0, 60)}`
