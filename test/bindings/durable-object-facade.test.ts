import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import source from '../../bindings/durable-object/facade.prelude.js'
import { toNamedId } from '../../bindings/durable-object/named-id.ts'

interface Id {
  readonly name?: string
  readonly jurisdiction?: string
  equals(other: unknown): boolean
}
interface Namespace {
  newUniqueId(options?: object): Id
  idFromName(name: string): Id
  idFromString(text: string): Id
  get(id: Id): { readonly id: Id; visit(...args: unknown[]): Promise<unknown>; then?: undefined }
  jurisdiction(name?: string | null): Namespace
}

// Only the runtime has the module.
const code = source.replace("import { RpcTarget } from 'cloudflare:workers'", 'class RpcTarget {}')
const { create } = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(code)}`)) as {
  create(value: { objects: unknown; id: string }): Namespace
}
const NAMESPACE = '1'.repeat(32)
const calls: unknown[][] = []
const objects = { callObject: async (...args: unknown[]) => calls.push(args) }
const open = (id = NAMESPACE) => create({ objects, id })

const half = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 32)

describe('an id', () => {
  test('of a name is of its SHA-256, for texts of any length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), name => {
        const first = half(`${NAMESPACE}/name//${name.toWellFormed()}`)
        expect(`${open().idFromName(name)}`).toBe(first + half(`${NAMESPACE}/id//${first}`))
      }),
    )
  })

  test.each(['a', 'ключ/é\u{1f600}', '', 'x'.repeat(1000), '\ud800'])(
    'of the name %j is the same where the platform makes it',
    async name => {
      for (const jurisdiction of [undefined, 'eu']) {
        const id = open().jurisdiction(jurisdiction).idFromName(name)
        expect(await toNamedId(NAMESPACE, name, jurisdiction)).toBe(`${id}`)
        // From memory, at once.
        expect(toNamedId(NAMESPACE, name, jurisdiction)).toBe(`${id}`)
      }
    },
  )

  test('differs by name and by namespace, and is the same each time', () => {
    const texts = ['a', 'a', 'b'].map(name => `${open().idFromName(name)}`)
    expect(new Set(texts).size).toBe(2)
    expect(`${open('2'.repeat(32)).idFromName('a')}`).not.toBe(texts[0])
  })

  test('is read back in its own namespace only', () => {
    for (const id of [open().idFromName('a'), open().newUniqueId()]) {
      expect(open().idFromString(`${id}`).equals(id)).toBe(true)
      expect(() => open('2'.repeat(32)).idFromString(`${id}`)).toThrow(
        'Durable Object ID is not valid for this namespace.',
      )
      expect(() => open('2'.repeat(32)).get(id)).toThrow('Durable Object ID is not valid for this namespace.')
    }
  })

  test.each(['eu', 'fedramp', 'fedramp-high', 'us'])(
    'of the jurisdiction %s says so, and is in no other',
    jurisdiction => {
      const within = open().jurisdiction(jurisdiction)
      const ids = [within.idFromName('a'), within.newUniqueId(), open().newUniqueId({ jurisdiction })]
      for (const id of ids) {
        expect(id.jurisdiction).toBe(jurisdiction)
        expect(open().idFromString(`${id}`).jurisdiction).toBe(jurisdiction)
        const other = open().jurisdiction(jurisdiction === 'eu' ? 'us' : 'eu')
        expect(() => other.idFromString(`${id}`)).toThrow('not valid for this namespace')
      }
      expect(() => within.get(open().idFromName('a'))).toThrow('not valid for this namespace')
    },
  )

  test.each(['mars', '', 5])('of the jurisdiction %j is refused', jurisdiction => {
    expect(() => open().newUniqueId({ jurisdiction })).toThrow('Unknown jurisdiction')
    expect(() => open().jurisdiction(jurisdiction as string)).toThrow('Unknown jurisdiction')
  })
})

test('a call names the object by its name, or by its id where that is known or has no name', async () => {
  calls.length = 0
  const [named, written] = [open().idFromName('a'), open().idFromName('b')]
  const read = open().idFromString(`${written}`)
  for (const id of [named, written, read]) await open().get(id).visit()
  expect(calls.map(([address]) => address)).toEqual([
    { name: 'a', jurisdiction: undefined },
    { id: `${written}`, name: 'b', jurisdiction: undefined },
    { id: `${written}`, name: undefined, jurisdiction: undefined },
  ])
})

test('a call names what of the object is called, and the arguments; reading a property has none', async () => {
  calls.length = 0
  const room = open().get(open().idFromName('a')) as unknown as Record<string, Record<string, () => unknown>>
  const address = { name: 'a', jurisdiction: undefined }
  await open().get(open().idFromName('a')).visit(1, 'two')
  await room.tools?.add?.()
  await room.tools
  expect(calls).toEqual([
    [address, ['visit'], [1, 'two']],
    [address, ['tools', 'add'], []],
    [address, ['tools'], undefined],
  ])
})
