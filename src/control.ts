import { Hono } from 'hono'
import { toEnvelope } from '../routes/api/cloudflare/envelope.ts'
import { cloudflare } from '../routes/api/cloudflare/index.ts'
import type { Api } from '../routes/api/context.ts'
import { v1 } from '../routes/api/skerry/index.ts'
import { pages } from '../routes/api/skerry/pages.ts'
import { SkerryError } from './core/errors.ts'
import { createRequestId } from './core/ids.ts'
import type { StateEnv } from './env.ts'
import { respondProblem, toKnownError } from './respond.ts'

const app = new Hono<Api>()

app.use(async (c, next) => {
  c.set('requestId', createRequestId())
  await next()
  await readRest(c.req.raw)
  // Setting a header rebuilds the response, and a WebSocket wouldn't survive it.
  if (c.res.status !== 101) c.header('skerry-request-id', c.var.requestId)
})
app.route('/client/v4', cloudflare)
app.route('/api/v1', v1)
app.route('/', pages)

app.notFound(c => respondError(c.req.path, notFound(c.req.method, c.req.path), c.var.requestId))
app.onError((error, c) => respondError(c.req.path, toKnownError(error, c.var.requestId), c.var.requestId))

/** Answers a request to the platform's own host. */
export async function handleControl(
  request: Request,
  env: StateEnv,
  ctx: ExecutionContext,
): Promise<Response> {
  return app.fetch(request, env, ctx)
}

/** How long the rest of a body is waited for that nobody wants. */
const REST_MS = 10_000

/**
 * An answer that comes before its request's whole body breaks the connection below many a client, also an edge's:
 * the refusal would be lost.
 */
async function readRest({ body, bodyUsed }: Request): Promise<void> {
  if (!body || bodyUsed) return
  const rest = body.pipeTo(new WritableStream()).catch(() => {})
  await Promise.race([rest, scheduler.wait(REST_MS)])
}

/** Cloudflare's clients expect its envelope, everyone else problem JSON. */
function respondError(path: string, error: SkerryError, requestId: string): Response {
  return path.startsWith('/client/v4') ? toEnvelope(error) : respondProblem(error, requestId)
}

function notFound(method: string, path: string): SkerryError {
  return new SkerryError(
    'ERR_API_NOT_FOUND',
    `Could not route to ${path}: there is nothing for ${method} here.`,
  )
}
