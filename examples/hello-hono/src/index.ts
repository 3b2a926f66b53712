import { Hono } from 'hono'
import { bearerAuth } from 'hono/bearer-auth'
import { timingSafeEqual } from 'hono/utils/buffer'

interface Env {
  /** Where notes are kept. */
  readonly NOTES: KVNamespace
  /** Who has it may write. A secret: `wrangler secret put WRITE_KEY`; until it is set, nobody may. */
  readonly WRITE_KEY?: string
}

const app = new Hono<{ Bindings: Env }>()

app.get('/', async c => {
  const count = (await c.env.NOTES.get('count')) ?? 'not counted yet'
  return c.text(`Hello from Hono. Notes: ${count}. Read one at /notes/<name>.\n`)
})

app.get('/notes/:name', async c => {
  const note = await c.env.NOTES.get(`note:${c.req.param('name')}`)
  return note === null ? c.text('There is no such note.\n', 404) : c.text(note)
})

const writers = bearerAuth<{ Bindings: Env }>({
  verifyToken: async (token, { env }) => Boolean(env.WRITE_KEY) && timingSafeEqual(token, `${env.WRITE_KEY}`),
})

app.put('/notes/:name', writers, async c => {
  await c.env.NOTES.put(`note:${c.req.param('name')}`, await c.req.text())
  return c.text('Written.\n', 201)
})

export default {
  fetch: app.fetch,

  /** Each minute: counts the notes. */
  async scheduled(_controller, env) {
    const { keys, list_complete } = await env.NOTES.list({ prefix: 'note:' })
    await env.NOTES.put('count', list_complete ? `${keys.length}` : `more than ${keys.length}`)
  },
} satisfies ExportedHandler<Env>
