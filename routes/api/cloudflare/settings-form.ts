import { SkerryError } from '../../../src/core/errors.ts'

/**
 * The fields of a change of settings, as Cloudflare's clients send it: a form whose part `settings` is a JSON object.
 *
 * @throws ERR_API_BODY
 */
export async function readSettingsForm(request: Request): Promise<Record<string, unknown>> {
  try {
    const part = (await request.formData()).get('settings') as string | File | null
    const text = part instanceof File ? await part.text() : (part ?? '')
    const fields: unknown = JSON.parse(text)
    if (fields && typeof fields === 'object' && !Array.isArray(fields))
      return fields as Record<string, unknown>
  } catch (cause) {
    throw malformed(`: ${(cause as Error).message}`, cause)
  }
  throw malformed('')
}

function malformed(why: string, cause?: unknown): SkerryError {
  const expected = 'multipart/form-data with a part "settings" that is a JSON object'
  return new SkerryError('ERR_API_BODY', `The request's body must be ${expected}${why}.`, { cause })
}
