import type { Context } from 'hono'
import { SkerryError } from '../../src/core/errors.ts'
import type { Api } from './context.ts'

/**
 * The request's body as JSON, whatever its content type says: wrangler sends much of its JSON as text/plain.
 *
 * @throws ERR_API_BODY
 */
export async function readJson(c: Context<Api>): Promise<unknown> {
  const text = await c.req.text()
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new SkerryError('ERR_API_BODY', `The request's body is not JSON: ${(cause as Error).message}.`, {
      cause,
    })
  }
}

/** The same, where the body must be an object. @throws ERR_API_BODY */
export async function readJsonObject(c: Context<Api>): Promise<Record<string, unknown>> {
  const body = await readJson(c)
  if (body && typeof body === 'object' && !Array.isArray(body)) return body as Record<string, unknown>
  throw new SkerryError('ERR_API_BODY', "The request's body must be a JSON object.")
}

/** The same, where the body must be an array of objects. @throws ERR_API_BODY */
export async function readJsonArray(c: Context<Api>): Promise<Record<string, unknown>[]> {
  const body = await readJson(c)
  if (Array.isArray(body) && body.every(item => item && typeof item === 'object')) return body
  throw new SkerryError('ERR_API_BODY', "The request's body must be a JSON array of objects.")
}

/** A field that must be a string. @throws ERR_API_BODY */
export function stringField(body: Readonly<Record<string, unknown>>, name: string): string {
  const value = body[name]
  if (typeof value === 'string') return value
  throw new SkerryError(
    'ERR_API_BODY',
    `The field "${name}" must be a string, not ${JSON.stringify(value) ?? 'absent'}.`,
  )
}
