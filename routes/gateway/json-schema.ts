import { type JsonSchema, toJsonSchema } from '@valibot/to-json-schema'
import { type GenericSchema, getDescription } from 'valibot'
import { POLICY_KINDS } from '../policies/kinds.ts'
import type { PolicyKind } from '../policies/policy.ts'
import { documentSchema } from './document.ts'
import { FIELD_WORDS } from './field-words.ts'

/**
 * The gateway file as JSON Schema (draft 7), from the very schemas that it is checked with: for editors, and served
 * at `/api/v1/gateway/schema.json`. Made once.
 *
 * What it can't say (that a name in `use` exists, that a pattern is right), the check says.
 */
export function gatewayJsonSchema(): JsonSchema {
  made ??= makeSchema(POLICY_KINDS)
  return made
}

let made: JsonSchema | undefined

function makeSchema(kinds: ReadonlyMap<string, PolicyKind<unknown>>): JsonSchema {
  const { $schema, ...file } = convert(documentSchema)
  describe(file, FIELD_WORDS)
  const { policies, ...properties } = file.properties ?? {}
  const types = [...kinds.values()].sort((a, b) => a.type.localeCompare(b.type))
  return {
    ...($schema !== undefined && { $schema }),
    title: 'Skerry gateway file',
    ...file,
    properties: {
      $schema: { type: 'string', description: 'Where this schema is, for editors.' },
      ...properties,
      policies: {
        ...(policies as JsonSchema),
        additionalProperties: { type: 'object', required: ['type'], oneOf: types.map(toPolicySchema) },
      },
    },
  }
}

function toPolicySchema({ type, summary, options }: PolicyKind<unknown>): JsonSchema {
  const { $schema: _, ...schema } = convert(options)
  const named = (part: JsonSchema): JsonSchema => ({
    ...part,
    properties: {
      type: { const: type },
      ...mapValues(part.properties ?? {}, property => withReferences(property)),
    },
    required: ['type', ...(part.required ?? [])],
  })
  const alternatives = schema.anyOf ?? schema.oneOf
  const head = { title: type, description: summary }
  if (!alternatives || schema.properties) return { ...head, ...named(schema) }
  return { ...head, oneOf: alternatives.map(part => named(part as JsonSchema)) }
}

/** `secret:NAME` may stand for every text, and `file:NAME` for every text or table of an option. */
function withReferences(property: unknown): JsonSchema {
  const { description, default: byDefault, ...rest } = relax(property) as JsonSchema
  const parts = [rest, ...(rest.anyOf ?? []), ...(rest.oneOf ?? [])]
  const isTable = parts.some(part => isSchema(part) && part.type === 'object' && !part.properties)
  const schema = isTable ? { anyOf: [rest, FILE] } : rest
  return {
    ...schema,
    ...(description !== undefined && { description }),
    ...(byDefault !== undefined && { default: byDefault }),
  }
}

/** What bounds a text doesn't bound a reference in its place. */
function relax(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(relax)
  if (!isSchema(schema)) return schema
  const mapped = mapValues(schema as Record<string, unknown>, (value, key) =>
    NESTING.has(key) ? (key === 'properties' ? mapValues(value as object, relax) : relax(value)) : value,
  ) as JsonSchema
  if (mapped.type !== 'string' || mayBeReference(mapped)) return mapped
  const { description, default: byDefault, ...text } = mapped
  return {
    anyOf: [text, SECRET],
    ...(description !== undefined && { description }),
    ...(byDefault !== undefined && { default: byDefault }),
  }
}

/** Whether a text such as `secret:NAME` is within the bounds. */
function mayBeReference({
  pattern,
  format,
  minLength = 0,
  maxLength = MAX_REFERENCE,
  ...rest
}: JsonSchema): boolean {
  if (format !== undefined || rest.enum || minLength > 'secret:A'.length || maxLength < MAX_REFERENCE)
    return false
  return pattern === undefined || new RegExp(pattern, 'u').test('secret:NAME')
}

const MAX_REFERENCE = 'secret:'.length + 64
const NESTING = new Set(['properties', 'additionalProperties', 'items', 'anyOf', 'oneOf', 'allOf'])
const SECRET: JsonSchema = { type: 'string', pattern: '^secret:[A-Za-z_][A-Za-z0-9_]{0,63}$' }
const FILE: JsonSchema = { type: 'string', pattern: '^file:.+' }

/** Puts words to fields, by their place: `routes[].match`. */
function describe(schema: JsonSchema, words: Readonly<Record<string, string>>, path = ''): void {
  for (const [key, property] of Object.entries(schema.properties ?? {})) {
    if (!isSchema(property)) continue
    const place = path === '' ? key : `${path}.${key}`
    const text = words[place]
    if (text !== undefined) property.description = text
    for (const part of [property, ...(property.anyOf ?? [])]) {
      if (!isSchema(part)) continue
      describe(part, words, place)
      if (isSchema(part.items)) describe(part.items, words, `${place}[]`)
    }
  }
}

function convert(schema: GenericSchema): JsonSchema {
  return toJsonSchema(schema, {
    // Transformations have no equivalent, and are about what comes out; this is about what may be written.
    typeMode: 'input',
    errorMode: 'ignore',
    overrideSchema: ({ valibotSchema, jsonSchema }) => withDescriptions(valibotSchema, jsonSchema),
  })
}

/** A field's description behind a transformation would be lost. */
function withDescriptions(schema: unknown, { properties, ...rest }: JsonSchema): JsonSchema | undefined {
  const { entries } = schema as { entries?: Readonly<Record<string, Wrapper>> }
  if (!entries || !properties) return undefined
  return {
    ...rest,
    properties: mapValues(properties, (property, key) => {
      const description = descriptionOf(entries[key])
      return description === undefined ? property : { ...(property as JsonSchema), description }
    }) as NonNullable<JsonSchema['properties']>,
  }
}

type Wrapper = GenericSchema & { readonly wrapped?: Wrapper }

function descriptionOf(schema: Wrapper | undefined): string | undefined {
  return schema && (getDescription(schema) ?? descriptionOf(schema.wrapped))
}

const isSchema = (value: unknown): value is JsonSchema =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function mapValues<T>(record: object, map: (value: unknown, key: string) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]))
}
