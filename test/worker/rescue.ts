import { WorkerEntrypoint } from 'cloudflare:workers'
import { enter, leave, noteBodies, openBoard, sweepBoard, trackBody } from '../../src/board.ts'
import { hashScript } from '../../src/core/board.ts'

/** An edge in small: functions by the first part of the path, noted on the board as the gateway does. */
interface Env {
  readonly EDGE: string
  readonly SKERRY_BOARD: string
}

const functions: Record<string, (request: Request, env: Env, url: URL) => Promise<Response> | Response> = {
  who: (request, env) => Response.json({ edge: env.EDGE, ...tell(request) }),
  loop() {
    for (;;);
  },
  async slow(request, env) {
    await scheduler.wait(env.EDGE === 'edge-0' ? 20_000 : 20)
    return Response.json({ edge: env.EDGE, ...tell(request) })
  },
  async pause(request, env, url) {
    await scheduler.wait(Number(url.searchParams.get('ms')))
    return Response.json({ edge: env.EDGE, ...tell(request) })
  },
  echo: async (request, env) =>
    Response.json({ edge: env.EDGE, ...tell(request), body: await request.text() }),
  /** Answers without having read the body. */
  early: () => new Response('early'),
  stream() {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const writer = writable.getWriter()
    const text = new TextEncoder().encode('tick\n')
    const write = async (): Promise<void> => {
      await writer.write(text)
      await scheduler.wait(20)
      return write()
    }
    write().catch(() => undefined)
    return new Response(readable)
  },
  socket(_, env) {
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket]
    server.accept()
    server.addEventListener('message', ({ data }) => server.send(`${env.EDGE} ${data}`))
    return new Response(null, { status: 101, webSocket: client })
  },
}

function tell(request: Request): object {
  const { cf, method, url, headers } = request
  return {
    client: (cf as { clientIp?: string } | undefined)?.clientIp,
    method,
    url,
    headers: Object.fromEntries(headers),
  }
}

async function serve(request: Request, env: Env): Promise<Response> {
  const url = new URL(request.url)
  const name = url.pathname.split('/')[1] ?? ''
  const slot = enter(request, hashScript('account', name))
  let response: Response | undefined
  try {
    response =
      (await functions[name]?.(trackBody(request, slot), env, url)) ??
      new Response('no such function', { status: 404 })
    return response
  } finally {
    leave(slot, response)
  }
}

/** Requests that were handed over; the header says whose they are. */
export class Front extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Promise<Response> {
    const clientIp = request.headers.get('skerry-client')
    return serve(new Request(request, { cf: { clientIp } as RequestInitCfProperties }), this.env)
  }
}

/** Heartbeats: the board's clock. */
export class Health extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response {
    openBoard(this.env.SKERRY_BOARD)
    if (request.url.endsWith('?drain')) noteBodies()
    sweepBoard(Date.now())
    return new Response('ok')
  }
}

export default { fetch: serve } satisfies ExportedHandler<Env>
