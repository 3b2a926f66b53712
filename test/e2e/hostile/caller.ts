import type { Platform } from '../support/client.ts'
import type { SendInit } from '../support/http.ts'

/** What a caller got, and after how long. */
export interface Answer {
  /** `200 the text`, `503 ERR_FUNCTION_CPU`, `broken: ECONNRESET`. */
  readonly got: string
  readonly ms: number
  readonly retryAfter?: string | undefined
}

const GIVE_UP_MS = 8000
const TEXT_CHARS = 200

/** One request over a connection of its own. */
export async function call(
  platform: Platform,
  script: string,
  path = '/',
  init: SendInit = {},
): Promise<Answer> {
  const startedAtMs = performance.now()
  const elapsed = () => performance.now() - startedAtMs
  try {
    const signal = AbortSignal.timeout(GIVE_UP_MS)
    const response = await platform.call(script, path, { signal, ...init })
    const retryAfter = response.headers.get('retry-after') ?? undefined
    try {
      const text = await response.text()
      return { got: `${response.status} ${codeOf(response, text)}`, ms: elapsed(), retryAfter }
    } catch {
      return { got: `${response.status}, then broken`, ms: elapsed() }
    }
  } catch (error) {
    return { got: `broken: ${reasonOf(error)}`, ms: elapsed() }
  }
}

function codeOf(response: Response, text: string): string {
  if (!response.headers.get('content-type')?.startsWith('application/problem+json'))
    return text.slice(0, TEXT_CHARS)
  return (JSON.parse(text) as { code: string }).code
}

function reasonOf(error: unknown): string {
  const { code, name, message } = error as NodeJS.ErrnoException
  return name === 'AbortError' || name === 'TimeoutError' ? 'no answer' : (code ?? message)
}
