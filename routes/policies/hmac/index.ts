import { SkerryError } from '../../../src/core/errors.ts'
import { sha256Hex } from '../../../src/core/ids.ts'
import { readBody, withBody } from '../body.ts'
import type { Exchange } from '../exchange.ts'
import type { Identity } from '../identity.ts'
import { definePolicy, type Phase, type PolicyContext, type Verdict } from '../policy.ts'
import { createGenericScheme } from './generic.ts'
import { github } from './github.ts'
import { MacVerifier, toContent } from './mac.ts'
import { GENERIC_ONLY, type HmacOptions, hmacOptions } from './options.ts'
import type { Scheme, SignedMessage } from './scheme.ts'
import { slack } from './slack.ts'
import { standardWebhooks } from './standard-webhooks.ts'
import { stripe } from './stripe.ts'

/** Lets only messages through that were signed with a shared secret: webhooks of GitHub, Stripe, Slack and others. */
export const hmacPolicy = definePolicy({
  type: 'hmac',
  summary:
    'Verifies the signatures of webhooks: GitHub, Stripe, Slack, Standard Webhooks, or a scheme of your own.',
  options: hmacOptions,
  create: (options, context) => new HmacPhase(options, context),
})

const SCHEMES = { github, stripe, slack, 'standard-webhooks': standardWebhooks } as const

/**
 * A message is verified in this order, the cheap parts first: headers, timestamp, body, signature, replay. Nothing of
 * the body is read before the headers could belong to a right message.
 */
class HmacPhase implements Phase {
  readonly #options: HmacOptions
  readonly #name: string
  readonly #scheme: Scheme
  readonly #verifier: MacVerifier
  readonly #refusesReplays: boolean
  /** There only where replays are refused: `any-of` takes no policy that looks at answers. */
  readonly response?: Required<Phase>['response']
  /** Of exchanges under way: the record that says that their message came. */
  readonly #claims = new WeakMap<Exchange, string>()

  constructor(options: HmacOptions, { name }: PolicyContext) {
    this.#options = options
    this.#name = name
    this.#scheme = schemeOf(options)
    this.#verifier = new MacVerifier(this.#scheme.hash, keysOf(options, this.#scheme))
    this.#refusesReplays = options.replay ?? this.#scheme.isUnique
    if (this.#refusesReplays) this.response = (response, exchange) => this.#forget(response, exchange)
  }

  isPresented({ request }: Exchange): boolean {
    return request.headers.has(this.#scheme.header)
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const { header, provider } = this.#scheme
    const message = this.#scheme.read(exchange.request)
    if (message === undefined) {
      exchange.trace?.note('There is no signature.', { header })
      return this.#refuse(exchange, 'ERR_SIGNATURE_MISSING', `The request has no header "${header}".`)
    }
    if (typeof message === 'string') {
      exchange.trace?.note('The signature is not of the form of the scheme.', { provider })
      return this.#refuse(exchange, 'ERR_SIGNATURE_INVALID', message)
    }
    const offMs = Math.abs(exchange.nowMs - (message.timestampMs ?? exchange.nowMs))
    const { tolerance } = this.#options
    if (offMs > tolerance * 1000) {
      const offSeconds = Math.round(offMs / 1000)
      exchange.trace?.note('The timestamp is too far from now.', { offSeconds, tolerance })
      const detail = `The signature's timestamp is ${offSeconds} s from now; at most ${tolerance} s are allowed.`
      return this.#refuse(exchange, 'ERR_SIGNATURE_INVALID', detail)
    }
    return this.#verify(exchange, message)
  }

  /** A message that couldn't be handled may be sent again as it is. */
  #forget(response: Response, exchange: Exchange): Response {
    const claim = this.#claims.get(exchange)
    if (claim === undefined) return response
    this.#claims.delete(exchange)
    if (response.status < 400) return response
    const { services } = exchange
    services.waitUntil(services.records.delete(claim).catch(() => {}))
    return response
  }

  async #verify(exchange: Exchange, message: SignedMessage): Promise<Verdict> {
    const { request } = exchange
    const { max_body_bytes: maxBytes } = this.#options
    const body = await readBody(request, maxBytes)
    if (!body) {
      exchange.trace?.note('The body is too long to be verified.', { maxBytes })
      return exchange.refuse('ERR_BODY_TOO_LARGE', `At most ${maxBytes} bytes are allowed here.`)
    }
    const content = toContent(message, body)
    const secret = await this.#verifier.verify(message.signatures, content)
    if (secret === undefined) {
      exchange.trace?.note('No secret made any of the signatures.', {
        signatures: message.signatures.length,
        bytes: body.length,
      })
      const detail = `The signature in "${this.#scheme.header}" is not that of this message.`
      return this.#refuse(exchange, 'ERR_SIGNATURE_INVALID', detail)
    }
    exchange.trace?.note('The signature verified.', { provider: this.#scheme.provider, secret })
    if (this.#refusesReplays) {
      const refusal = await this.#claim(exchange, message, content)
      if (refusal) return refusal
    }
    exchange.request = withBody(request, body)
    exchange.identity = this.#identify(message)
    return undefined
  }

  /**
   * Notes that the message came. What is signed names it, not the signature (which has as many spellings as there are
   * secrets) and not its id alone: a provider that tries again keeps the id, but signs a new timestamp.
   */
  async #claim(
    exchange: Exchange,
    { timestampMs }: SignedMessage,
    content: Uint8Array<ArrayBuffer>,
  ): Promise<Verdict> {
    const { tolerance, replay_window: replayWindow } = this.#options
    const key = `hmac:${this.#name}:${await sha256Hex(content)}`
    // Until the timestamp alone refuses it.
    const ttl =
      timestampMs === undefined
        ? replayWindow
        : Math.ceil((timestampMs - exchange.nowMs) / 1000) + Math.ceil(tolerance) + 1
    try {
      const { records } = exchange.services
      const isNew = exchange.isDryRun
        ? (await records.get(key)) === undefined
        : (await records.claim(key, String(exchange.nowMs), ttl)).claimed
      exchange.trace?.note(isNew ? 'The message is new.' : 'The message came before.', {
        rememberedSeconds: ttl,
      })
      if (!isNew) return exchange.refuse('ERR_WEBHOOK_REPLAYED', 'This very message came before.')
    } catch {
      exchange.trace?.note('Whether the message came before could not be found out.')
      return exchange.refuse('ERR_STATE_UNAVAILABLE', 'Whether this message came before is unknown just now.')
    }
    if (!exchange.isDryRun) this.#claims.set(exchange, key)
    return undefined
  }

  #identify({ id, timestampMs }: SignedMessage): Identity {
    const { provider } = this.#scheme
    return {
      type: 'hmac',
      policy: this.#name,
      subject: provider === 'generic' ? this.#name : provider,
      scopes: [],
      roles: [],
      claims: {
        provider,
        ...(id !== undefined && { id }),
        ...(timestampMs !== undefined && { timestamp: Math.floor(timestampMs / 1000) }),
      },
    }
  }

  #refuse(
    exchange: Exchange,
    code: 'ERR_SIGNATURE_MISSING' | 'ERR_SIGNATURE_INVALID',
    detail: string,
  ): Response {
    return exchange.refuse(code, detail, { 'www-authenticate': `Signature header="${this.#scheme.header}"` })
  }
}

function schemeOf(options: HmacOptions): Scheme {
  if (options.provider === 'generic') return createGenericScheme(options)
  const stray = GENERIC_ONLY.find(key => options[key] !== undefined)
  if (stray) {
    throw new SkerryError(
      'ERR_GATEWAY_FILE',
      `hmac: "${stray}" belongs to the provider "generic"; "${options.provider}" has its own.`,
    )
  }
  return SCHEMES[options.provider]
}

function keysOf({ secret, provider }: HmacOptions, scheme: Scheme): Uint8Array<ArrayBuffer>[] {
  return [secret].flat().map((text, index) => {
    const key = scheme.toKey(text)
    if (key) return key
    throw new SkerryError(
      'ERR_GATEWAY_FILE',
      `hmac: secret ${index + 1} is not of the form that "${provider}" has.`,
    )
  })
}
