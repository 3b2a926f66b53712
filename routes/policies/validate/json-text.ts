import { findJsonFault, type JsonFault } from './json-fault.ts'

/**
 * The value of a JSON text in UTF-8 (RFC 8259), or what is wrong with it.
 *
 * A member may be there once only: where it is there twice, who checks and who uses it could each take another one.
 *
 * @param maxDepth lists and objects may nest this deeply
 */
export function parseJson(bytes: Uint8Array, maxDepth: number): { value: unknown } | { fault: JsonFault } {
  const { members, depth } = scan(bytes)
  if (depth > maxDepth) return fault(`nests ${depth} levels deep; ${maxDepth} are allowed`)
  let text: string
  try {
    text = UTF8.decode(bytes)
  } catch {
    return fault('is not UTF-8')
  }
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: findJsonFault(text) ?? { path: [], detail: 'is not JSON' } }
  }
  if (countMembers(value) === members) return { value }
  return { fault: findJsonFault(text) ?? { path: [], detail: 'has a member twice' } }
}

const fault = (detail: string): { fault: JsonFault } => ({ fault: { path: [], detail } })

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** Counts what is outside of texts: colons, and how deeply brackets nest. Of no JSON it counts something. */
function scan(bytes: Uint8Array): { members: number; depth: number } {
  let members = 0
  let depth = 0
  let deepest = 0
  for (let i = 0; i < bytes.length; i++) {
    switch (bytes[i]) {
      case QUOTE:
        for (i++; i < bytes.length && bytes[i] !== QUOTE; i++) if (bytes[i] === BACKSLASH) i++
        break
      case COLON:
        members++
        break
      case OPEN_BRACE:
      case OPEN_BRACKET:
        depth++
        if (depth > deepest) deepest = depth
        break
      case CLOSE_BRACE:
      case CLOSE_BRACKET:
        depth--
        break
    }
  }
  return { members, depth: deepest }
}

function countMembers(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  let count = 0
  if (Array.isArray(value)) {
    for (const item of value) if (typeof item === 'object') count += countMembers(item)
    return count
  }
  for (const name of Object.keys(value)) {
    count++
    const member = (value as Record<string, unknown>)[name]
    if (typeof member === 'object') count += countMembers(member)
  }
  return count
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
