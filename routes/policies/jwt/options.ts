import * as v from 'valibot'
import { durationSecondsBetween } from '../duration.ts'
import { scopesOption } from '../scopes.ts'
import { ALGORITHMS } from './algorithms.ts'
import { tokenSourceOptions } from './token-source.ts'

const tokenBytesMessage = 'It must be a whole number of bytes from 256 to 65536.'
const text = (max: number) =>
  v.pipe(
    v.string(),
    v.minLength(1, 'It must not be empty.'),
    v.maxLength(max, `It may have at most ${max} characters.`),
  )
const listOf = <Item extends v.GenericSchema>(item: Item, max: number) =>
  v.pipe(
    v.array(item),
    v.minLength(1, 'The list must not be empty.'),
    v.maxLength(max, `The list may have at most ${max} members.`),
  )
const path = v.pipe(text(256), v.description('A claim by name, or by its path: "realm_access.roles".'))
const value = v.union([v.string(), v.number(), v.boolean()])
/** One audience, several, or whichever. */
export const audience = v.union([text(2048), listOf(text(2048), 32), v.literal(false)])
const key = v.union([text(16_384), v.looseObject({ kty: v.string() })])

/** Options of every policy that checks who a token is from and for, and what it may do. */
export const tokenRuleOptions = {
  issuer: v.pipe(
    v.optional(v.union([text(2048), listOf(text(2048), 16)])),
    v.description('Who tokens must be from (`iss`): the text exactly, or one of a list.'),
  ),
  audience: v.pipe(
    v.optional(audience),
    v.description(
      'Who tokens must be for (`aud`): one of these. Without it tokens that name an audience are refused; false takes any.',
    ),
  ),
  leeway: v.pipe(
    v.optional(durationSecondsBetween(0, 300), 5),
    v.description('How far the clocks of provider and gateway may be apart.'),
  ),
  claims: v.pipe(
    v.optional(v.record(text(256), v.union([value, listOf(value, 64)])), {}),
    v.description(
      'Claims that tokens must have: a value, one of a list, or true for any but false and null. A claim that is a list must have it as a member.',
    ),
  ),
  scopes: scopesOption,
  scopes_claim: v.pipe(
    v.optional(path),
    v.description('The claim with the scopes. Default: `scope`, `scp`, `scopes` and `permissions` together.'),
  ),
  roles_claim: v.pipe(
    v.optional(path, 'roles'),
    v.description('The claim with the roles, such as "realm_access.roles".'),
  ),
  realm: v.pipe(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(
          /^[\x20\x21\x23-\x5b\x5d-\x7e]{1,128}$/,
          'It must be 1 to 128 printable ASCII characters without quotes and backslashes.',
        ),
      ),
    ),
    v.description('What the API calls itself in `WWW-Authenticate`. Default: the name of the policy.'),
  ),
  max_token_bytes: v.pipe(
    v.optional(
      v.pipe(
        v.number(),
        v.integer(tokenBytesMessage),
        v.minValue(256, tokenBytesMessage),
        v.maxValue(65_536, tokenBytesMessage),
      ),
      8192,
    ),
    v.description('The longest token that is taken.'),
  ),
  timeout: v.pipe(
    v.optional(durationSecondsBetween(0.1, 30), 5),
    v.description('How long the identity provider may take for one answer.'),
  ),
  allow_http: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Whether the identity provider may be asked over http: on other hosts than this one.'),
  ),
  ...tokenSourceOptions,
}

/** What may stand in the gateway file beside `type = "jwt"`. */
export const jwtOptions = v.strictObject({
  jwks: v.pipe(
    v.optional(text(2048)),
    v.description(
      "The URL of the issuer's key set. Without it, `keys` and `secret`: what the issuer's metadata say.",
    ),
  ),
  keys: v.pipe(
    v.optional(v.union([key, listOf(key, 32)])),
    v.description('Public keys in place of a key set: PEM texts or JWKs.'),
  ),
  secret: v.pipe(
    v.optional(v.union([text(4096), listOf(text(4096), 8)])),
    v.description('The secret of tokens with HS256 (`secret:NAME`), or several while one replaces another.'),
  ),
  secret_encoding: v.pipe(
    v.optional(v.picklist(['text', 'hex', 'base64']), 'text'),
    v.description('How the secret is written.'),
  ),
  algorithms: v.pipe(
    v.optional(listOf(v.picklist([...ALGORITHMS.keys()]), 14)),
    v.description(
      'What tokens may be signed with. Default: everything with public keys; HS256 with a `secret`.',
    ),
  ),
  typ: v.pipe(
    v.optional(v.union([text(128), listOf(text(128), 8)])),
    v.description(
      'The `typ` that the header must have, such as "at+jwt". Default: JWT, at+jwt, JOSE or none.',
    ),
  ),
  require_exp: v.pipe(
    v.optional(v.boolean(), true),
    v.description('Whether tokens without `exp` are refused.'),
  ),
  max_age: v.pipe(
    v.optional(durationSecondsBetween(1, 366 * 86_400)),
    v.description('How old tokens may be by their `iat`, whatever their `exp` says.'),
  ),
  key_ttl: v.pipe(
    v.optional(durationSecondsBetween(60, 86_400), 600),
    v.description(
      'How long a fetched key set is good if the answer does not say (`max-age`, one minute to one hour).',
    ),
  ),
  key_max_stale: v.pipe(
    v.optional(durationSecondsBetween(0, 30 * 86_400), 86_400),
    v.description('How long fetched keys stay good while the provider can not be reached.'),
  ),
  ...tokenRuleOptions,
})

/** The options as they were checked, with their defaults. */
export type JwtOptions = v.InferOutput<typeof jwtOptions>
