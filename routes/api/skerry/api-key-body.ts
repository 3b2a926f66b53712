import * as v from 'valibot'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { ApiKeyChange, ApiKeyPage, NewApiKey, Rotation } from '../../../src/registry/api-keys.ts'
import { durationSecondsBetween } from '../../policies/duration.ts'
import { describeIssue } from '../../policies/issues.ts'
import { scopeList } from '../../policies/scopes.ts'

/** Ten years. */
const MAX_LIFETIME_SECONDS = 3650 * 86_400

const text = (maxChars: number) =>
  v.pipe(
    v.string(),
    v.trim(),
    v.minLength(1, 'It must not be empty.'),
    v.maxLength(maxChars, `It must have at most ${maxChars} characters.`),
    v.regex(/^\P{Cc}*$/u, 'It must not have control characters.'),
  )

const fields = {
  name: text(100),
  scopes: scopeList,
  metadata: v.pipe(
    v.record(
      v.pipe(
        v.string(),
        v.regex(/^[\w.-]{1,64}$/, 'A key has 1 to 64 letters, digits, dots, dashes or underscores.'),
      ),
      v.pipe(v.string(), v.maxLength(512, 'It must have at most 512 characters.')),
    ),
    v.check(metadata => Object.keys(metadata).length <= 32, 'At most 32 entries.'),
  ),
}

/** When a key expires: a moment, or in how long; `null` = never. */
const expiry = {
  expires_on: v.optional(
    v.nullable(
      v.pipe(
        v.string(),
        v.regex(
          /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/,
          'It must be a date, or date and time with zone: "2027-01-31", "2027-01-31T12:00:00Z".',
        ),
        v.check(text => !Number.isNaN(Date.parse(text)), 'There is no such date.'),
        v.transform(text => Date.parse(text)),
      ),
    ),
  ),
  expires_in: v.optional(durationSecondsBetween(1, MAX_LIFETIME_SECONDS)),
}

const createSchema = v.strictObject({
  name: fields.name,
  owner: v.optional(v.union([text(100), v.literal('')]), ''),
  scopes: v.optional(fields.scopes, []),
  metadata: v.optional(fields.metadata, {}),
  ...expiry,
})

const changeSchema = v.strictObject({
  name: v.optional(fields.name),
  scopes: v.optional(fields.scopes),
  metadata: v.optional(fields.metadata),
  ...expiry,
})

const rotationSchema = v.strictObject({
  overlap: v.optional(durationSecondsBetween(0, 90 * 86_400), 86_400),
  ...expiry,
})

const pageSchema = v.strictObject({
  owner: v.optional(v.string()),
  limit: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,4}$/, 'It must be a number from 1 to 1,000.'),
      v.transform(Number),
      v.check(limit => limit >= 1 && limit <= 1000, 'It must be a number from 1 to 1,000.'),
    ),
    '100',
  ),
  cursor: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^\d{1,15}$/, 'It must be the "next_cursor" of the page before.'),
      v.transform(Number),
    ),
  ),
})

/** @throws ERR_API_KEY_REQUEST, which names the field */
export function parseNewApiKey(body: unknown, nowMs: number): NewApiKey {
  const { name, owner, scopes, metadata, ...rest } = parse(createSchema, body)
  return checkSize({ name, owner, scopes, metadata, expiresAtMs: readExpiry(rest, nowMs) ?? 0 })
}

/** What is to be changed of a key. @throws as `parseNewApiKey` */
export function parseApiKeyChange(body: unknown, before: NewApiKey, nowMs: number): ApiKeyChange {
  const { name, scopes, metadata, ...rest } = parse(changeSchema, body)
  const expiresAtMs = readExpiry(rest, nowMs)
  const change = {
    ...(name !== undefined && { name }),
    ...(scopes && { scopes }),
    ...(metadata && { metadata }),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  }
  checkSize({ ...before, ...change })
  return change
}

/** @throws as `parseNewApiKey` */
export function parseRotation(body: unknown, nowMs: number): Rotation {
  const { overlap, ...rest } = parse(rotationSchema, body)
  const expiresAtMs = readExpiry(rest, nowMs)
  return { overlapMs: Math.round(overlap * 1000), ...(expiresAtMs !== undefined && { expiresAtMs }) }
}

/** Which keys a URL's query asks for. @throws as `parseNewApiKey` */
export function parseApiKeyPage(query: Readonly<Record<string, string>>): ApiKeyPage {
  const { owner, limit, cursor } = parse(pageSchema, query)
  return { limit, ...(owner !== undefined && { owner }), ...(cursor !== undefined && { before: cursor }) }
}

function parse<Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> {
  const parsed = v.safeParse(schema, input)
  if (parsed.success) return parsed.output
  throw refuse(describeIssue(parsed.issues[0]))
}

/** Milliseconds since the epoch; 0 = never, `undefined` = nothing was said. */
function readExpiry(
  { expires_on, expires_in }: { expires_on?: number | null | undefined; expires_in?: number | undefined },
  nowMs: number,
): number | undefined {
  if (expires_on !== undefined && expires_in !== undefined) {
    throw refuse('expires_in: "expires_on" is there too, and says the same thing: send one of them.')
  }
  if (expires_on === null) return 0
  const expiresAtMs = expires_in === undefined ? expires_on : nowMs + Math.round(expires_in * 1000)
  if (expiresAtMs !== undefined && expiresAtMs <= nowMs) {
    throw refuse('expires_on: It must be in the future; to end a key now, revoke it.')
  }
  return expiresAtMs
}

/** Edges hold all keys in memory. */
function checkSize(key: NewApiKey): NewApiKey {
  const { name, owner, scopes, metadata } = key
  const { length } = new TextEncoder().encode(JSON.stringify({ name, owner, scopes, metadata }))
  if (length <= LIMITS.apiKeyBytes) return key
  throw refuse(
    `metadata: Name, owner, scopes and metadata have ${length} bytes as JSON, and may have ${LIMITS.apiKeyBytes}.`,
  )
}

function refuse(detail: string): SkerryError {
  return new SkerryError('ERR_API_KEY_REQUEST', detail)
}
