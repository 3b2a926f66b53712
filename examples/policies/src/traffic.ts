import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import { canary, circuitBreaker, type PolicyEnv, retry, shadow, timeout } from 'skerry/policies'

/** Policies between callers and what may fail. */
export const traffic = new Hono<PolicyEnv>()

/** Whoever waits longer gets 504; what comes later is dropped. */
traffic.use('/timeout', timeout({ after: '1s' }))
traffic.get('/timeout', () => fetch(`${env.UPSTREAM}/slow`))

/** Asked again when it fails. Hono's handlers can be asked once for each request, so what is asked is given here. */
traffic.get(
  '/retry',
  retry({ attempts: 3, statuses: [503] }, { target: () => fetch(`${env.UPSTREAM}/moody`) }),
)

/** Left alone for a minute when it fails twice. */
traffic.use('/circuit-breaker', circuitBreaker({ failures: 2, open: '1m' }))
traffic.get('/circuit-breaker', () => fetch(`${env.UPSTREAM}/broken`))

/** Which version a caller gets. Without the platform the Worker sees to it that he does. */
traffic.use(
  '/canary',
  canary({ versions: [{ version: 'next', percent: 0 }], header: 'x-version', cookie: 'version' }),
)
traffic.get('/canary', c => c.text(c.get('version') === 'next' ? 'The new way.' : 'The old way.'))

/** A copy of each GET goes to the next version of the service, whose answers nobody sees. */
traffic.use('/shadow', shadow({ url: env.SHADOW }))
traffic.all('/shadow', c => c.text('From the service that counts.'))
