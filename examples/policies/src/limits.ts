import { env } from 'cloudflare:workers'
import { Hono } from 'hono'
import { bodyLimit, concurrency, idempotency, maintenance, quota, rateLimit } from 'skerry/policies'
import { limiter, records } from './services'

/** Policies that let only so much through. */
export const limits = new Hono()

/** So often in any minute, over all isolates: they ask one counter. Without `services` each counts for itself. */
limits.use('/rate-limit', rateLimit({ limit: 5, window: '1m', by: 'ip' }, { services: { limiter } }))
limits.get('/rate-limit', c => c.text('Within the limit.'))

/** So often a day; the count lasts. */
limits.use('/quota', quota({ limit: 3, period: 'day', by: 'ip' }, { services: { limiter } }))
limits.get('/quota', c => c.text('Within the quota.'))

/** So many at a time; others wait in line for a moment. */
limits.use('/concurrency', concurrency({ limit: 1, queue: 0 }))
limits.get('/concurrency', () => fetch(`${env.UPSTREAM}/report`))

/** Sent twice, carried out once: whoever repeats a request with its `Idempotency-Key` gets the first answer. */
limits.use('/idempotency', idempotency({ required: true, by: 'ip' }, { services: { records } }))
limits.post('/idempotency', async c => c.json({ payment: crypto.randomUUID(), of: await c.req.text() }, 201))

/** Bodies of a length that the handler can bear. */
limits.use('/body-limit', bodyLimit({ max_bytes: 16 }))
limits.post('/body-limit', async c => c.text(await c.req.text()))

/** Nobody at all, but those who work on it. */
limits.use(
  '/maintenance',
  maintenance({ message: 'Back at noon.', retry_after: '1h', allow: ['192.0.2.0/24'] }),
)
limits.get('/maintenance', c => c.text('You see the new version.'))
