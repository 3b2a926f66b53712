import * as v from 'valibot'
import { unitHash } from '../../src/core/unit-hash.ts'
import { durationSecondsBetween } from './duration.ts'
import type { Exchange } from './exchange.ts'
import { readIdentity } from './identity.ts'
import { definePolicy, type Phase } from './policy.ts'

const name = v.pipe(
  v.string(),
  v.regex(/^[A-Za-z0-9_.-]{1,63}$/, 'It must have 1 to 63 letters, digits, dots, dashes or underscores.'),
)

const options = v.pipe(
  v.strictObject({
    versions: v.pipe(
      v.array(
        v.strictObject({
          version: v.pipe(
            name,
            v.description('A version’s id or tag, as `wrangler versions list` shows it.'),
          ),
          percent: v.pipe(
            v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(100)), 0),
            v.description('The share of callers that get it.'),
          ),
        }),
      ),
      v.minLength(1, 'The list must not be empty.'),
      v.description('Who isn’t among their shares gets what is deployed.'),
    ),
    header: v.pipe(
      v.optional(name),
      v.description('A request header in which a caller may ask for one of these versions by name.'),
    ),
    cookie: v.pipe(
      v.optional(name),
      v.description('A cookie that names one of these versions; set, so that a caller stays with his.'),
    ),
    sticky_by: v.pipe(
      v.optional(
        v.pipe(
          v.string(),
          v.regex(
            /^(ip|identity\.[\w.:/-]+|header:[\w-]+)$/,
            'It must be "ip", "identity.<claim>" such as "identity.sub", or "header:<name>".',
          ),
        ),
      ),
      v.description(
        'What keeps a caller with his version, in place of chance: equal values get equal versions.',
      ),
    ),
    max_age: v.pipe(
      v.optional(durationSecondsBetween(1, 31_536_000), 86_400),
      v.description('How long the cookie is kept.'),
    ),
  }),
  v.check(
    // Decimal fractions may sum to a little more.
    ({ versions }) => versions.reduce((sum, { percent }) => sum + percent, 0) <= 100 + 1e-9,
    'The shares of the versions sum to more than 100 percent.',
  ),
)

type CanaryOptions = v.InferOutput<typeof options>

/** Gives a share of the callers another version of the function, and the same one each time. */
export const canaryPolicy = definePolicy({
  type: 'canary',
  summary: 'Sends a share of the callers to other versions of a function.',
  options,
  create: options => new CanaryPhase(options),
})

class CanaryPhase implements Phase {
  readonly #options: CanaryOptions
  readonly #names: ReadonlySet<string>

  constructor(options: CanaryOptions) {
    this.#options = options
    this.#names = new Set(options.versions.map(({ version }) => version))
  }

  request(exchange: Exchange): undefined {
    const { header, cookie } = this.#options
    // What is chosen by a header mustn't be kept by a cache for those that don't send it.
    if (header) exchange.responseHeaders.addToList('vary', header)
    if (cookie) exchange.responseHeaders.addToList('vary', 'Cookie')
    const asked = header && exchange.request.headers.get(header)
    if (asked && this.#names.has(asked)) return this.#choose(exchange, asked, 'asked for by header')
    const kept = cookie && readCookie(exchange.request.headers.get('cookie'), cookie)
    if (kept && (kept === DEPLOYED || this.#names.has(kept)))
      return this.#choose(exchange, kept, 'kept by cookie')
    const chosen = this.#draw(exchange)
    if (cookie) {
      const secure = exchange.request.url.startsWith('https:') ? '; Secure' : ''
      exchange.responseHeaders.append(
        'set-cookie',
        `${cookie}=${chosen}; Path=/; Max-Age=${this.#options.max_age}; HttpOnly; SameSite=Lax${secure}`,
      )
    }
    return this.#choose(exchange, chosen, 'drawn')
  }

  #choose(exchange: Exchange, version: string, how: string): undefined {
    exchange.trace?.note('The version was chosen.', { version, how })
    if (version !== DEPLOYED) exchange.version = version
    return undefined
  }

  #draw(exchange: Exchange): string {
    let rest = this.#point(exchange) * 100
    for (const { version, percent } of this.#options.versions) {
      rest -= percent
      if (rest < 0) return version
    }
    return DEPLOYED
  }

  /** In [0, 1). */
  #point(exchange: Exchange): number {
    const by = this.#options.sticky_by
    if (!by) return Math.random()
    const value =
      by === 'ip'
        ? exchange.clientIp
        : by.startsWith('header:')
          ? exchange.request.headers.get(by.slice('header:'.length))
          : readIdentity(exchange.identity, by.slice('identity.'.length))
    return value === undefined || value === null ? Math.random() : unitHash(String(value))
  }
}

/** In the cookie of callers that get what is deployed. */
const DEPLOYED = 'deployed'

/** A cookie's value by name; the first of that name. */
function readCookie(header: string | null, name: string): string | undefined {
  if (!header) return undefined
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=')
    if (equals > 0 && pair.slice(0, equals).trim() === name) return pair.slice(equals + 1).trim()
  }
  return undefined
}
