import * as v from 'valibot'
import { SkerryError } from '../../src/core/errors.ts'
import { sha256Hex } from '../../src/core/ids.ts'
import { RecentMap } from '../../src/core/recent-map.ts'
import { asOwn } from '../../src/core/shared-promise.ts'
import { durationSecondsBetween } from './duration.ts'
import type { Exchange } from './exchange.ts'
import type { Identity } from './identity.ts'
import { quotable, refuseMissing, refuseToken, refuseUnknown } from './jwt/bearer.ts'
import { type ClaimRules, checkClaims, readClaim, scopesOf, wordsOf } from './jwt/claims.ts'
import { fetchJson, isSafeUrl, providerError } from './jwt/fetch-json.ts'
import { audience, tokenRuleOptions } from './jwt/options.ts'
import { requiredClaims, toList } from './jwt/rules.ts'
import { TokenCache } from './jwt/token-cache.ts'
import { isFailure } from './jwt/token-failure.ts'
import { TokenSource } from './jwt/token-source.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'
import { RequiredScopes } from './scopes.ts'

const text = v.pipe(
  v.string(),
  v.minLength(1, 'It must not be empty.'),
  v.maxLength(2048, 'It may have at most 2048 characters.'),
)

const introspectionOptions = v.strictObject({
  ...tokenRuleOptions,
  endpoint: v.pipe(text, v.description("The URL of the provider's introspection endpoint.")),
  client_id: v.pipe(text, v.description('What the gateway is called at the provider.')),
  client_secret: v.pipe(text, v.description('Its secret there (`secret:NAME`).')),
  auth_method: v.pipe(
    v.optional(v.picklist(['client_secret_basic', 'client_secret_post']), 'client_secret_basic'),
    v.description('How the gateway proves who it is: in the header `Authorization`, or in the form.'),
  ),
  audience: v.pipe(
    v.optional(audience, false),
    v.description('Who tokens must be for (`aud`): one of these. Default: that is left to the provider.'),
  ),
  cache: v.pipe(
    v.optional(durationSecondsBetween(0, 3600), 60),
    v.description(
      'How long an active token is believed without asking again, at most until it expires; 0 asks each time.',
    ),
  ),
  negative_cache: v.pipe(
    v.optional(durationSecondsBetween(0, 300), 10),
    v.description('How long an inactive token is refused without asking again.'),
  ),
})

type IntrospectionOptions = v.InferOutput<typeof introspectionOptions>

/** Lets those pass whose token the identity provider calls active (RFC 7662). */
export const introspectionPolicy = definePolicy({
  type: 'introspection',
  summary: 'Asks the identity provider whether a token is active, and tells the function whose it is.',
  options: introspectionOptions,
  create: (options, { name }) => new IntrospectionPhase(options, name),
})

/** What the provider said of a token. */
interface Answer {
  /** `undefined`: it isn't taken, because of `detail`. */
  readonly identity: Identity | undefined
  readonly detail: string
  readonly expiresAtMs: number
}

class IntrospectionPhase implements Phase {
  readonly #name: string
  readonly #realm: string
  readonly #options: IntrospectionOptions
  readonly #source: TokenSource
  readonly #scopes: RequiredScopes
  readonly #rules: ClaimRules
  /** By the hash of the token: of what strangers send nothing is kept. */
  readonly #answers = new TokenCache<Answer>({ maxBytes: 8 * 1024 * 1024, maxEntries: 20_000 })
  /** Hashing takes a promise, so the hashes of active tokens are kept. */
  readonly #hashes = new RecentMap<string, string>(2000)
  readonly #underway = new Map<string, { readonly promise: Promise<Answer>; readonly sinceMs: number }>()

  constructor(options: IntrospectionOptions, name: string) {
    if (!isSafeUrl(options.endpoint, options.allow_http)) {
      throw new SkerryError('ERR_GATEWAY_FILE', `endpoint: "${options.endpoint}" must be an https: URL.`)
    }
    this.#name = name
    this.#realm = quotable(options.realm ?? name)
    this.#options = options
    this.#source = new TokenSource(options)
    this.#scopes = new RequiredScopes(options.scopes)
    this.#rules = {
      issuers: toList(options.issuer),
      audiences: options.audience === false ? false : toList(options.audience),
      leewaySeconds: options.leeway,
      requireExpiry: false,
      maxAgeSeconds: undefined,
      required: requiredClaims(options.claims),
    }
  }

  isPresented(exchange: Exchange): boolean {
    return this.#source.find(exchange) !== undefined
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const token = this.#source.find(exchange)
    if (token === undefined) {
      return refuseMissing(exchange, this.#realm, 'ERR_ACCESS_TOKEN_MISSING', this.#source.places)
    }
    const hash = this.#hashes.get(token)
    const answer = hash === undefined ? undefined : this.#answers.get(hash, exchange.nowMs)
    return answer ? this.#judge(answer, exchange) : this.#ask(token, hash, exchange)
  }

  async #ask(token: string, knownHash: string | undefined, exchange: Exchange): Promise<Verdict> {
    const { max_token_bytes: maxBytes } = this.#options
    if (token.length > maxBytes || !isToken(token)) {
      const detail = `The token is none: 1 to ${maxBytes} letters, digits and -._~+/= are taken.`
      exchange.trace?.note(detail)
      return refuseToken(exchange, this.#realm, 'ERR_ACCESS_TOKEN_INVALID', detail)
    }
    const hash = knownHash ?? (await sha256Hex(token))
    const held = this.#answers.get(hash, exchange.nowMs)
    if (held) exchange.trace?.note('The provider was asked before.', { until_ms: held.expiresAtMs })
    try {
      const answer = held ?? (await this.#askOnce(token, hash, exchange))
      if (answer.identity && !exchange.isDryRun) this.#hashes.set(token, hash)
      return this.#judge(answer, exchange)
    } catch (error) {
      return refuseUnknown(exchange, error)
    }
  }

  /** One question for all who come with the same token at the same time; it belongs to the first of them. */
  #askOnce(token: string, hash: string, exchange: Exchange): Promise<Answer> {
    const patienceMs = this.#options.timeout * 2000
    const underway = this.#underway.get(hash)
    if (underway && exchange.nowMs < underway.sinceMs + patienceMs) {
      return asOwn(underway.promise, patienceMs)
    }
    if (this.#underway.size >= MAX_UNDERWAY) {
      this.#forgetLost(exchange.nowMs - patienceMs)
      if (this.#underway.size >= MAX_UNDERWAY) {
        throw providerError(
          this.#options.endpoint,
          `is being asked about ${MAX_UNDERWAY} tokens at once, the most allowed`,
        )
      }
    }
    const promise = this.#introspect(token, hash, exchange).finally(() => {
      if (this.#underway.get(hash)?.promise === promise) this.#underway.delete(hash)
    })
    this.#underway.set(hash, { promise, sinceMs: exchange.nowMs })
    exchange.services.waitUntil(promise.catch(() => {}))
    return promise
  }

  /** What was begun by a request that is gone never ends. */
  #forgetLost(beforeMs: number): void {
    for (const [hash, { sinceMs }] of this.#underway) if (sinceMs < beforeMs) this.#underway.delete(hash)
  }

  async #introspect(token: string, hash: string, exchange: Exchange): Promise<Answer> {
    const { endpoint, timeout, cache, negative_cache: negativeCache } = this.#options
    const bounds = { timeoutMs: timeout * 1000, maxBytes: MAX_ANSWER_BYTES }
    const { status, json } = await fetchJson(exchange.services, endpoint, bounds, this.#toQuestion(token))
    if (!json)
      throw providerError(endpoint, `answered ${status}; 401 means that it does not know this client`)
    if (typeof json.active !== 'boolean')
      throw providerError(endpoint, 'answered without "active": true or false')
    const answer = this.#toAnswer(json, exchange.nowMs)
    const untilMs = exchange.nowMs + (answer.identity ? cache : negativeCache) * 1000
    const kept = { ...answer, expiresAtMs: Math.min(untilMs, answer.expiresAtMs) }
    if (kept.expiresAtMs > exchange.nowMs && !exchange.isDryRun) {
      this.#answers.set(
        hash,
        kept,
        answer.identity ? ENTRY_BYTES + JSON.stringify(json).length * 2 : ENTRY_BYTES,
      )
    }
    return kept
  }

  #toQuestion(token: string): RequestInit {
    const { client_id: id, client_secret: secret, auth_method: method } = this.#options
    const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
    const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' }
    if (method === 'client_secret_post') {
      form.set('client_id', id)
      form.set('client_secret', secret)
    } else {
      headers.authorization = `Basic ${btoa(`${formEncode(id)}:${formEncode(secret)}`)}`
    }
    return { method: 'POST', headers, body: form.toString() }
  }

  #toAnswer(claims: Readonly<Record<string, unknown>>, nowMs: number): Answer {
    const refuse = (detail: string): Answer => ({ identity: undefined, detail, expiresAtMs: Infinity })
    if (claims.active !== true) return refuse('The token is not active.')
    // A refresh token is active too, and one that is bound to a key is good with that key's proof only.
    const type = typeof claims.token_type === 'string' ? claims.token_type.toLowerCase() : ''
    if (OTHER_TYPES.has(type)) return refuse(`The token is of the type "${type}"; a bearer token is taken.`)
    const checked = checkClaims(claims, this.#rules, nowMs)
    if (isFailure(checked)) return refuse(checked.detail)
    const identity: Identity = {
      type: 'introspection',
      policy: this.#name,
      subject: typeof claims.sub === 'string' ? claims.sub : '',
      scopes: scopesOf(claims, this.#options.scopes_claim),
      roles: wordsOf(readClaim(claims, this.#options.roles_claim)),
      claims,
    }
    return { identity, detail: 'The token is active.', expiresAtMs: checked.expiresAtMs }
  }

  #judge({ identity, detail }: Answer, exchange: Exchange): Verdict {
    exchange.trace?.note(detail, identity && { subject: identity.subject, scopes: identity.scopes })
    if (!identity) return refuseToken(exchange, this.#realm, 'ERR_ACCESS_TOKEN_INVALID', detail)
    const lacking = this.#scopes.check(exchange, identity.scopes, `Bearer realm="${this.#realm}",`)
    if (lacking) return lacking
    exchange.identity = identity
    this.#source.hide(exchange)
    return undefined
  }
}

/** Whether it is spelt like a token (RFC 6750 §2.1, `b64token`). */
function isToken(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (!TOKEN_CHARS.has(text.charCodeAt(i))) return false
  return text.length > 0
}

/** As a form spells it: client id and secret are encoded so before base64 (RFC 6749 §2.3.1). */
function formEncode(text: string): string {
  return new URLSearchParams({ a: text }).toString().slice(2)
}

const TOKEN_CHARS = new Set(
  [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/='].map(char =>
    char.charCodeAt(0),
  ),
)
const OTHER_TYPES = new Set(['refresh_token', 'dpop', 'pop', 'mac', 'n_a'])
const MAX_ANSWER_BYTES = 65_536
const MAX_UNDERWAY = 256
/** What an entry takes beside its claims. */
const ENTRY_BYTES = 600
