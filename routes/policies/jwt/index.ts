import { SkerryError } from '../../../src/core/errors.ts'
import type { Exchange } from '../exchange.ts'
import type { Identity } from '../identity.ts'
import { definePolicy, type Phase, type Verdict } from '../policy.ts'
import { RequiredScopes } from '../scopes.ts'
import { quotable, refuseMissing, refuseToken, refuseUnknown } from './bearer.ts'
import { readClaim, scopesOf, wordsOf } from './claims.ts'
import { chooseAlgorithms, parseConfiguredKeys } from './configured-keys.ts'
import { isSafeUrl } from './fetch-json.ts'
import { KeySet, metadataUrls } from './key-set.ts'
import { chooseKeys, type KeyChoice, type VerificationKey } from './keys.ts'
import { type JwtOptions, jwtOptions } from './options.ts'
import { requiredClaims, toList } from './rules.ts'
import { TokenCache } from './token-cache.ts'
import { isFailure, type TokenFailure } from './token-failure.ts'
import { TokenSource } from './token-source.ts'
import { type JwsHeader, type JwtRules, type VerifiedJwt, verifyJwt } from './verify.ts'

/** Lets those pass who have a JWT of the issuer, for this audience. */
export const jwtPolicy = definePolicy({
  type: 'jwt',
  summary:
    'Lets callers with a signed token (JWT) of a known issuer pass, and tells the function whose it is.',
  options: jwtOptions,
  create: (options, { name }) => new JwtPhase(options, name),
})

/** A token that was verified. It stays so until its time is over, or its key is withdrawn. */
interface KnownToken {
  readonly identity: Identity
  readonly key: VerificationKey
  readonly keySet: KeySet | undefined
  readonly expiresAtMs: number
}

class JwtPhase implements Phase {
  readonly #name: string
  readonly #realm: string
  readonly #source: TokenSource
  readonly #rules: JwtRules
  readonly #scopes: RequiredScopes
  readonly #scopesClaim: string | undefined
  readonly #rolesClaim: string
  readonly #configured: readonly VerificationKey[] | undefined
  /** By issuer; that of `''` has the keys of all. */
  readonly #keySets: ReadonlyMap<string, KeySet>
  /** Verifying costs 16 to 60 µs, looking up less than one. Only tokens that were verified get in here. */
  readonly #known = new TokenCache<KnownToken>({ maxBytes: MAX_CACHE_BYTES, maxEntries: MAX_CACHE_ENTRIES })

  constructor(options: JwtOptions, name: string) {
    this.#name = name
    this.#realm = quotable(options.realm ?? name)
    this.#source = new TokenSource(options)
    this.#rules = toRules(options)
    this.#scopes = new RequiredScopes(options.scopes)
    this.#scopesClaim = options.scopes_claim
    this.#rolesClaim = options.roles_claim
    checkOneSource(options)
    this.#configured = parseConfiguredKeys(options)
    this.#keySets = this.#configured ? new Map() : toKeySets(options)
  }

  isPresented(exchange: Exchange): boolean {
    return this.#source.find(exchange) !== undefined
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const token = this.#source.find(exchange)
    if (token === undefined)
      return refuseMissing(exchange, this.#realm, 'ERR_JWT_MISSING', this.#source.places)
    const known = this.#known.get(token, exchange.nowMs)
    if (known === undefined || !isStillTrusted(known)) return this.#verify(token, exchange)
    if (!exchange.isDryRun) known.keySet?.keepFresh(exchange.services)
    exchange.trace?.note('The token was verified before.', {
      issuer: known.identity.claims.iss,
      kid: known.key.kid,
    })
    return this.#admit(known, exchange)
  }

  async #verify(token: string, exchange: Exchange): Promise<Verdict> {
    let keySet: KeySet | undefined
    const find = (header: JwsHeader, issuer: string | undefined): KeyChoice | Promise<KeyChoice> => {
      if (this.#configured) return chooseKeys(this.#configured, header)
      keySet = this.#keySets.get('') ?? this.#keySets.get(issuer ?? '')
      return keySet ? keySet.find(header, exchange.services) : { problem: 'issuer' }
    }
    let verified: VerifiedJwt | TokenFailure
    try {
      verified = await verifyJwt(token, this.#rules, find, exchange.nowMs)
    } catch (error) {
      return refuseUnknown(exchange, error)
    }
    if (isFailure(verified)) {
      exchange.trace?.note(verified.detail, keySet && { keys_of: keySet.name, left_out: keySet.leftOut })
      return refuseToken(exchange, this.#realm, verified.code, verified.detail)
    }
    const known = this.#toKnown(verified, keySet)
    if (!exchange.isDryRun) this.#known.set(token, known, token.length * 3 + ENTRY_BYTES)
    const { header, claims } = verified
    exchange.trace?.note('The token was verified.', { issuer: claims.iss, kid: header.kid, alg: header.alg })
    return this.#admit(known, exchange)
  }

  #admit({ identity }: KnownToken, exchange: Exchange): Verdict {
    const lacking = this.#scopes.check(exchange, identity.scopes, `Bearer realm="${this.#realm}",`)
    if (lacking) return lacking
    exchange.identity = identity
    this.#source.hide(exchange)
    return undefined
  }

  #toKnown({ claims, key, expiresAtMs }: VerifiedJwt, keySet: KeySet | undefined): KnownToken {
    const identity: Identity = {
      type: 'jwt',
      policy: this.#name,
      subject: typeof claims.sub === 'string' ? claims.sub : '',
      scopes: scopesOf(claims, this.#scopesClaim),
      roles: wordsOf(readClaim(claims, this.#rolesClaim)),
      claims,
    }
    return { identity, key, keySet, expiresAtMs }
  }
}

/** What was verified is believed as long as its key is published, and the provider isn't away for too long. */
function isStillTrusted({ key, keySet }: KnownToken): boolean {
  return key.isCurrent && (keySet === undefined || keySet.isUsable)
}

function toRules(options: JwtOptions): JwtRules {
  const types = toList(options.typ)?.map(typ => typ.toLowerCase().replace(/^application\//, ''))
  return {
    algorithms: chooseAlgorithms(options),
    maxBytes: options.max_token_bytes,
    types: new Set(types ?? DEFAULT_TYPES),
    issuers: toList(options.issuer),
    audiences: options.audience === false ? false : toList(options.audience),
    leewaySeconds: options.leeway,
    requireExpiry: options.require_exp,
    maxAgeSeconds: options.max_age,
    required: requiredClaims(options.claims),
  }
}

function checkOneSource({ jwks, keys, secret }: JwtOptions): void {
  const given = Object.entries({ jwks, keys, secret }).filter(([, value]) => value !== undefined)
  if (given.length <= 1) return
  const names = given.map(([name]) => `"${name}"`).join(' and ')
  throw new SkerryError('ERR_GATEWAY_FILE', `There are ${names}: keys come from one place only.`)
}

function toKeySets(options: JwtOptions): Map<string, KeySet> {
  const { jwks, allow_http: allowHttp } = options
  const issuers = toList(options.issuer) ?? []
  if (jwks === undefined && issuers.length === 0) {
    throw new SkerryError(
      'ERR_GATEWAY_FILE',
      'There must be an "issuer", or keys: "jwks", "keys" or "secret".',
    )
  }
  const sources = jwks === undefined ? issuers : [jwks]
  const wrong = sources.find(
    url => !isSafeUrl(url, allowHttp) || (jwks === undefined && metadataUrls(url).length === 0),
  )
  if (wrong !== undefined) {
    const wayOut =
      jwks === undefined ? ' without a query, so that its metadata can be found; else name "jwks"' : ''
    throw new SkerryError('ERR_GATEWAY_FILE', `"${wrong}" must be an https: URL${wayOut}.`)
  }
  const common = {
    ttlSeconds: options.key_ttl,
    maxStaleSeconds: options.key_max_stale,
    timeoutMs: options.timeout * 1000,
    allowHttp,
  }
  if (jwks !== undefined) return new Map([['', new KeySet({ ...common, jwksUrl: jwks })]])
  return new Map(issuers.map(issuer => [issuer, new KeySet({ ...common, issuer })]))
}

/** Access tokens (RFC 9068), and tokens that don't say what they are. */
const DEFAULT_TYPES = ['', 'jwt', 'at+jwt', 'jose']
/** A token of 600 bytes takes 1.5 KB. */
const MAX_CACHE_BYTES = 8 * 1024 * 1024
const MAX_CACHE_ENTRIES = 20_000
/** What an entry takes beside its token and claims. */
const ENTRY_BYTES = 600
