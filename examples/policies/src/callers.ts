import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import {
  anyOf,
  apiKey,
  apiKeyPolicy,
  basic,
  createPhase,
  hmac,
  introspection,
  ip,
  jwt,
  jwtPolicy,
  mtls,
  oidc,
  type PolicyEnv,
  rbac,
} from 'skerry/policies'
import { apiKeys } from './api-keys'
import { records } from './services'

/** Policies that find out who calls. With `PolicyEnv` the type of `c.get('identity')` is known. */
export const callers = new Hono<PolicyEnv>()

/** A token that the identity provider signed. Its keys are fetched, kept, and fetched again when they change. */
callers.use('/jwt', jwt({ issuer: env.ISSUER, audience: 'orders' }))

/** A token that says nothing by itself: the provider is asked, and its answer believed for a minute. */
callers.use(
  '/introspection',
  introspection({
    endpoint: env.INTROSPECTION_ENDPOINT,
    client_id: 'policies',
    client_secret: env.CLIENT_SECRET,
    cache: '1m',
  }),
)

/** A key that you gave to somebody. What it may do is written beside it. */
callers.use('/api-key', apiKey({ scopes: ['orders:read'] }, { services: { apiKeys } }))

/** A name and a password, which the browser asks for. */
callers.use('/basic', basic({ users: { ann: env.ANNS_PASSWORD }, realm: 'The back office' }))

/** A webhook of GitHub. The message's digest is recorded, so that none counts twice in any isolate. */
callers.use(
  '/hmac',
  hmac({ provider: 'github', secret: env.WEBHOOK_SECRET, replay: true }, { services: { records } }),
)

/** A client certificate, which Cloudflare has verified. */
callers.use('/mtls', mtls({ subjects: ['CN=till-7,O=Example'] }))

/** People with a browser. It needs its own paths too: the provider sends them back to `/.auth/callback`. */
const people = oidc(
  {
    issuer: env.LOGIN_ISSUER,
    client_id: 'shop',
    client_secret: env.CLIENT_SECRET,
    session_secret: env.SESSION_SECRET,
  },
  { services: { records } },
)
callers.use('/oidc', people)
callers.use('/.auth/*', people)

/** Either of two. Policies that another one is made of have names. */
callers.use(
  '/any-of',
  anyOf(
    { policies: ['customers', 'partners'], anonymous: true },
    {
      policies: {
        customers: createPhase(jwtPolicy, { issuer: env.ISSUER, audience: 'orders' }, { name: 'customers' }),
        partners: createPhase(apiKeyPolicy, {}, { name: 'partners' }),
      },
      services: { apiKeys },
    },
  ),
)

/** What a caller may do, once it is known who he is: so it comes second. */
callers.use('/rbac', basic({ users: { ann: env.ANNS_PASSWORD }, roles: { ann: ['clerk'] } }))
callers.use('/rbac', rbac({ rules: [{ methods: ['GET'], roles: ['clerk'] }] }))

/** The caller's address: on Cloudflare that of `CF-Connecting-IP`. */
callers.use('/ip', ip({ allow: ['192.0.2.0/24', '2001:db8::/32'] }))

/** Behind all of these: who calls, as the policy found out. */
callers.all('/:policy', async (c, next) => {
  const identity = c.get('identity')
  return identity ? c.json({ type: identity.type, subject: identity.subject }) : next()
})
callers.get('/ip', c => c.text('Your address may call.'))
