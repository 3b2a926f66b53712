import type {
  BareItem,
  Dictionary,
  DictionaryObject,
  InnerList,
  Item,
  List,
  Parameters,
} from 'structured-headers'
import * as fields from 'structured-headers'

/**
 * Structured Field Values (RFC 9651), as RateLimit, Cache-Status, CDN-Cache-Control and Priority have them: reading
 * that answers `undefined` for what is none, and writing in canonical form.
 *
 * Numbers are JavaScript's: `1.0` is read as 1, and 1 is written as the integer. Dates are `Date`s, byte sequences
 * `ArrayBuffer`s, and the duplicates of a key are gone, the last one stays.
 */

export { DisplayString, Token } from 'structured-headers'
export type { BareItem, Dictionary, DictionaryObject, InnerList, Item, List, Parameters }

/** A field that holds one value: `[value, parameters]`. `undefined` for a field that is absent, or no item. */
export function parseItem(text: string | null | undefined): Item | undefined {
  return read(fields.parseItem, text)
}

/** A field that holds a list. An empty field is an empty list; `undefined` for a field that is absent, or no list. */
export function parseList(text: string | null | undefined): List | undefined {
  return read(fields.parseList, text)
}

/** A field that holds keys and values. An empty field has none; `undefined` for one that is absent, or no dictionary. */
export function parseDictionary(text: string | null | undefined): Dictionary | undefined {
  return read(fields.parseDictionary, text)
}

/** @throws Error for a value that no item can hold, such as a text beyond ASCII */
export function serializeItem(value: BareItem, parameters?: Parameters): string {
  return fields.serializeItem(value, parameters)
}

/** @throws Error for a value that no list can hold */
export function serializeList(list: List): string {
  return fields.serializeList(list)
}

/** @throws Error for a key or value that no dictionary can hold */
export function serializeDictionary(dictionary: Dictionary | DictionaryObject): string {
  return fields.serializeDictionary(dictionary)
}

/** The parser answers what is no structured field with an exception; callers send such things as they like. */
function read<Parsed>(parse: (text: string) => Parsed, text: string | null | undefined): Parsed | undefined {
  if (text === null || text === undefined || text.length > MAX_FIELD_CHARS) return undefined
  try {
    return parse(text)
  } catch {
    return undefined
  }
}

/** No field of ours comes near; reading takes a few steps for each character. */
const MAX_FIELD_CHARS = 64 * 1024
