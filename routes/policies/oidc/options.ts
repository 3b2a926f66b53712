import * as v from 'valibot'
import { durationSecondsBetween } from '../duration.ts'

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
const path = v.pipe(
  v.string(),
  v.regex(
    /^\/(?!\/)[A-Za-z0-9._~/-]{1,200}$/,
    'It must be a path such as "/.auth/callback": "/", then letters, digits and ". _ ~ / -".',
  ),
)
const url = v.pipe(
  text(2048),
  v.regex(/^https?:\/\/[^\s/?#]+(\/[^\s?#]*)?$/, 'It must be an https: URL without query.'),
)
const sessionSecret = v.pipe(
  v.string(),
  v.minLength(32, 'It must have 32 characters or more, at random: `openssl rand -base64 32` makes one.'),
  v.maxLength(1024, 'It may have at most 1024 characters.'),
)
const claimValue = v.union([v.string(), v.number(), v.boolean()])

/** Parameters that the login itself sets: what the gateway file says can't change them. */
const OWN_PARAMETERS = new Set([
  'client_id',
  'code_challenge',
  'code_challenge_method',
  'nonce',
  'redirect_uri',
  'request',
  'request_uri',
  'response_mode',
  'response_type',
  'scope',
  'state',
])

/** What may stand in the gateway file beside `type = "oidc"`. */
export const oidcOptions = v.strictObject({
  issuer: v.pipe(
    url,
    v.description('The identity provider, exactly as its metadata call it (`iss`), final slash included.'),
  ),
  client_id: v.pipe(text(512), v.description('What the provider calls this client.')),
  client_secret: v.pipe(
    v.optional(text(4096)),
    v.description(
      "The client's secret (`secret:NAME`). Without it the client is a public one, and PKCE alone protects.",
    ),
  ),
  session_secret: v.pipe(
    v.union([sessionSecret, listOf(sessionSecret, 8)]),
    v.description(
      'What cookies are encrypted with (`secret:NAME`), 32 characters or more. Of several the first encrypts and all decrypt.',
    ),
  ),
  scopes: v.pipe(
    v.optional(
      v.pipe(
        listOf(
          v.pipe(
            text(128),
            v.regex(/^[\x21\x23-\x5B\x5D-\x7E]+$/, 'A scope has no space, quote or backslash.'),
          ),
          32,
        ),
        v.includes('openid', 'It must have "openid" in it.'),
      ),
      ['openid', 'profile', 'email'],
    ),
    v.description('What is asked for. With "offline_access" most providers give a refresh token.'),
  ),
  allow: v.pipe(
    v.optional(v.record(text(256), v.union([claimValue, listOf(claimValue, 64)])), {}),
    v.description(
      'Claims that must hold, by name or path: a value, or one of a list; a text such as "*@example.com" is an ending. Others get 403.',
    ),
  ),
  claims: v.pipe(
    v.optional(listOf(text(256), 64)),
    v.description("Which of the ID token's claims are kept. Default: all but those of the protocol."),
  ),
  roles_claim: v.pipe(
    v.optional(text(256), 'roles'),
    v.description('The claim with the roles, by name or path.'),
  ),
  session_seconds: v.pipe(
    v.optional(durationSecondsBetween(60, 90 * 86_400), 8 * 3600),
    v.description('How long a session lasts from the login, whatever is done in it.'),
  ),
  idle_seconds: v.pipe(
    v.optional(durationSecondsBetween(60, 90 * 86_400)),
    v.description('How long a session lasts without a request. Default: as long as `session_seconds`.'),
  ),
  login_seconds: v.pipe(
    v.optional(durationSecondsBetween(60, 3600), 600),
    v.description("How long a login may take, from the redirect to the provider's answer."),
  ),
  redirect_uri: v.pipe(
    v.optional(url),
    v.description(
      'The callback as the provider knows it. Default: that of the request. Needed where TLS ends in front of the gateway.',
    ),
  ),
  paths: v.pipe(
    v.optional(
      v.strictObject({
        callback: v.pipe(
          v.optional(path, '/.auth/callback'),
          v.description('Where the provider sends browsers back to.'),
        ),
        login: v.pipe(
          v.optional(path, '/.auth/login'),
          v.description('Begins a login; `?return_to=/path` says where it ends.'),
        ),
        logout: v.pipe(v.optional(path, '/.auth/logout'), v.description('Ends the session.')),
        me: v.pipe(v.optional(path, '/.auth/me'), v.description('Says who is logged in, as JSON.')),
      }),
      {},
    ),
    v.description("The policy's own paths. The route must cover them."),
  ),
  post_logout: v.pipe(
    v.optional(v.pipe(text(2048), v.regex(/^(\/(?![/\\])|https?:\/\/)/, 'It must be a path or a URL.')), '/'),
    v.description('Where browsers are after a logout: a path, or a URL. The provider must know it.'),
  ),
  authorize_params: v.pipe(
    v.optional(
      v.pipe(
        v.record(text(64), v.pipe(v.string(), v.maxLength(1024))),
        v.check(
          params => !Object.keys(params).some(name => OWN_PARAMETERS.has(name)),
          `These are set by the login itself: ${[...OWN_PARAMETERS].join(', ')}.`,
        ),
      ),
      {},
    ),
    v.description('More parameters of the login: `prompt`, `audience`, `access_type`, …'),
  ),
  leeway: v.pipe(
    v.optional(durationSecondsBetween(0, 300), 30),
    v.description('How far the clocks of provider and gateway may be apart.'),
  ),
  timeout: v.pipe(
    v.optional(durationSecondsBetween(0.1, 30), 5),
    v.description('How long the provider may take for one answer.'),
  ),
  allow_http: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Whether the provider may be asked over http: on other hosts than this one.'),
  ),
})

/** The options as they were checked, with their defaults. */
export type OidcOptions = v.InferOutput<typeof oidcOptions>
