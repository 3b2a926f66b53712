import { Hono } from 'hono'
import { cache, compress, cors, jsonSchema, openApi, transform } from 'skerry/policies'

/** Policies that look at messages, and change them. */
export const content = new Hono()

/** Path and body must be as these schemas want them. It stands at the path whose `:id` it is to see. */
content.use(
  '/json-schema/:id',
  jsonSchema({
    params: { properties: { id: { type: 'integer', minimum: 1 } } },
    body: { type: 'object', properties: { fish: { type: 'string' } }, required: ['fish'] },
  }),
)
content.put('/json-schema/:id', async c => c.json({ id: c.req.param('id'), ...(await c.req.json()) }))

/** The same by an OpenAPI document. It may be imported from a JSON file. */
content.use(
  '/openapi/*',
  openApi({
    base_path: '/openapi',
    unknown_query: 'refuse',
    document: {
      openapi: '3.1.0',
      info: { title: 'Tides', version: '1' },
      paths: {
        '/tides': {
          get: {
            parameters: [{ name: 'days', in: 'query', schema: { type: 'integer', maximum: 7 } }],
            responses: { 200: { description: 'High water.' } },
          },
        },
      },
    },
  }),
)
content.get('/openapi/tides', c => c.json({ days: Number(c.req.query('days') ?? 1) }))

/** Other headers and another query than were sent. Which handler answers is decided before: by the path that was. */
content.use(
  '/transform',
  transform({
    request: { set: { 'x-client': '{client_ip}' }, remove: ['x-debug'] },
    response: { rename: { 'x-upstream': 'x-served-by' } },
    query: { remove: ['utm_source'] },
  }),
)
content.get('/transform', c =>
  c.json({ headers: c.req.header(), query: c.req.query() }, 200, { 'x-upstream': 'tides' }),
)

/** Pages of another origin may call; preflights don't reach the handler. */
content.use('/cors', cors({ origins: ['https://app.example.com'], methods: ['GET', 'PUT'] }))
content.all('/cors', c => c.text('Read by pages of app.example.com.'))

/** Texts that are worth it. */
content.use('/compress', compress({ min_bytes: 200 }))
content.get('/compress', c => {
  const times = Number(c.req.query('times') ?? 100)
  const text = 'High water. '.repeat(times)
  return c.text(text, 200, { 'content-length': `${text.length}`, etag: `"${times}"` })
})

/** Answers are stored for a while; after that they are used a while longer, as new ones are made in the background. */
content.use('/cache/*', cache({ ttl: '1s', stale_while_revalidate: '1h' }))
content.get('/cache/now', c => c.json({ made: crypto.randomUUID() }))
