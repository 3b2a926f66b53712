import * as v from 'valibot'
import { isMistypedApiKey } from '../../src/core/api-key-text.ts'
import type { ErrorCode } from '../../src/core/errors.ts'
import type { ApiKey } from '../../src/core/gateway.ts'
import { sha256Hex } from '../../src/core/ids.ts'
import { RecentMap } from '../../src/core/recent-map.ts'
import { CredentialReader, type FoundCredential } from './credential-reader.ts'
import type { Exchange } from './exchange.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'
import { RequiredScopes, scopesOption } from './scopes.ts'

const headerName = v.pipe(
  v.string(),
  v.regex(/^[\w!#$%&'*+.^`|~-]{1,128}$/, 'It must be the name of a header.'),
)

const options = v.pipe(
  v.strictObject({
    header: v.pipe(
      v.optional(headerName),
      v.description(
        'The header that has the key. Without it: `X-Api-Key`, or `Authorization` with the scheme `Bearer`.',
      ),
    ),
    scheme: v.pipe(
      v.optional(v.pipe(v.string(), v.regex(/^[\w!#$%&'*+.^`|~-]{1,64}$/, 'It must be one word.'))),
      v.description(
        'The word in front of the key in `header`; `Bearer` where that is `Authorization`, else none.',
      ),
    ),
    query: v.pipe(
      v.optional(v.pipe(v.string(), v.regex(/^[\w.-]{1,64}$/, 'It must be the name of a parameter.'))),
      v.description(
        'A query parameter that may have the key too. URLs end up in logs and histories: headers are better.',
      ),
    ),
    scopes: scopesOption,
    hide: v.pipe(
      v.optional(v.boolean(), true),
      v.description('The function or upstream does not see the key.'),
    ),
  }),
  v.check(
    ({ header, scheme }) => scheme === undefined || header !== undefined,
    '"scheme" is of no use without "header".',
  ),
)

type ApiKeyOptions = v.InferOutput<typeof options>

/** Lets those pass who have one of the account's API keys. */
export const apiKeyPolicy = definePolicy({
  type: 'api-key',
  summary: "Lets callers with one of the account's API keys pass, and tells the function whose it is.",
  options,
  create: (options, { name }) => new ApiKeyPhase(options, name),
})

class ApiKeyPhase implements Phase {
  readonly #name: string
  readonly #reader: CredentialReader
  readonly #hides: boolean
  readonly #scopes: RequiredScopes
  /** Hashing takes 5 µs and a promise; only keys that exist get in here, so nobody can crowd them out. */
  readonly #hashes = new RecentMap<string, string>(MAX_HASHES)

  constructor({ header, scheme, query, scopes, hide }: ApiKeyOptions, name: string) {
    this.#name = name
    this.#reader = new CredentialReader({ header, scheme, query })
    this.#scopes = new RequiredScopes(scopes)
    this.#hides = hide
  }

  isPresented(exchange: Exchange): boolean {
    return this.#reader.find(exchange) !== undefined
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const found = this.#reader.find(exchange)
    if (!found) {
      exchange.trace?.note('The request has no API key.', { looked_at: this.#reader.places })
      return this.#refuse(exchange, 'ERR_API_KEY_MISSING', `Send the API key as ${this.#reader.places}.`)
    }
    const { text } = found
    const hash = this.#hashes.get(text)
    return hash === undefined ? this.#lookUpNew(exchange, found) : this.#lookUp(exchange, found, hash)
  }

  async #lookUpNew(exchange: Exchange, found: FoundCredential): Promise<Verdict> {
    const { text } = found
    if (text.length > MAX_KEY_CHARS || isMistypedApiKey(text)) {
      exchange.trace?.note('The API key is mistyped or cut off: its checksum is wrong.')
      return this.#refuse(exchange, 'ERR_API_KEY_INVALID', 'The API key is mistyped or cut off.')
    }
    return this.#lookUp(exchange, found, await sha256Hex(text))
  }

  /** Each time, also for keys seen before: a key that is revoked must be refused at once. */
  #lookUp(exchange: Exchange, found: FoundCredential, hash: string): Verdict | Promise<Verdict> {
    const key = exchange.services.apiKeys.find(hash)
    if (!isThenable(key)) return this.#judge(exchange, found, hash, key)
    return Promise.resolve(key).then(key => this.#judge(exchange, found, hash, key))
  }

  #judge(exchange: Exchange, found: FoundCredential, hash: string, key: ApiKey | undefined): Verdict {
    if (!key) {
      this.#hashes.delete(found.text)
      exchange.trace?.note('There is no such API key.')
      return this.#refuse(exchange, 'ERR_API_KEY_INVALID', 'There is no such API key.')
    }
    const { id, prefix, name, owner } = key
    if (key.revokedAtMs !== 0) {
      exchange.trace?.note('The API key was revoked.', { id, prefix, at_ms: key.revokedAtMs })
      return this.#refuse(exchange, 'ERR_API_KEY_INVALID', 'The API key was revoked.')
    }
    if (key.expiresAtMs !== 0 && key.expiresAtMs <= exchange.nowMs) {
      exchange.trace?.note('The API key has expired.', { id, prefix, at_ms: key.expiresAtMs })
      const at = new Date(key.expiresAtMs).toISOString()
      return this.#refuse(exchange, 'ERR_API_KEY_EXPIRED', `The API key expired at ${at}.`)
    }
    this.#hashes.set(found.text, hash)
    const lacking = this.#scopes.check(exchange, key.scopes)
    if (lacking) return lacking

    exchange.identity = {
      type: 'api-key',
      policy: this.#name,
      subject: id,
      scopes: key.scopes,
      roles: NO_ROLES,
      claims: { owner, name, metadata: key.metadata, prefix },
    }
    exchange.trace?.note('The API key was accepted.', { id, prefix, name, owner, scopes: key.scopes })
    if (this.#hides) this.#reader.hide(exchange, found)
    return undefined
  }

  #refuse(exchange: Exchange, code: ErrorCode, detail: string): Response {
    const error = code === 'ERR_API_KEY_MISSING' ? '' : ', error="invalid_token"'
    return exchange.refuse(code, detail, {
      'www-authenticate': `${this.#reader.scheme} realm="${this.#name}"${error}`,
    })
  }
}

function isThenable<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function'
}

const NO_ROLES: readonly string[] = []
/** Keys that are in use at the same time on one edge: at 200 bytes each. */
const MAX_HASHES = 10_000
/** Longer than any key that somebody would hand out; what is longer isn't hashed. */
const MAX_KEY_CHARS = 512
