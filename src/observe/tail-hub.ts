import { DurableObject } from 'cloudflare:workers'
import { SkerryError } from '../core/errors.ts'
import { createHexId, sha256Hex, toHex } from '../core/ids.ts'
import { LIMITS } from '../core/limits.ts'
import type { StateEnv } from '../env.ts'
import type { TailEvent, TailMessage } from './tail-event.ts'
import { matchesTailFilters, type TailFilter } from './tail-filters.ts'

/** A live log that somebody asked for. */
export interface TailInfo {
  /** 32 hex digits. */
  readonly id: string
  readonly filters: readonly TailFilter[]
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

interface Tail extends TailInfo {
  readonly secretHash: string
  /** Since when nobody is connected; `undefined` = somebody is. */
  idleSinceMs: number | undefined
}

/**
 * The live logs of one script: hands invocations on to whoever reads them now. One per script, named
 * `<accountId>/<script>`. Keeps no logs.
 *
 * Sockets hibernate, so that waiting readers cost no memory here. A reader that is slower than its logs loses
 * some, and is told so; it can't make memory grow.
 */
export class TailHub extends DurableObject<StateEnv> {
  readonly #tails = new Map<string, Tail>()
  /** How many messages each overloaded reader has lost. */
  readonly #lost = new WeakMap<WebSocket, number>()

  constructor(ctx: DurableObjectState, env: StateEnv) {
    super(ctx, env)
    for (const [id, tail] of ctx.storage.kv.list<Tail>({ prefix: PREFIX })) {
      this.#tails.set(id.slice(PREFIX.length), tail)
    }
  }

  /**
   * Starts a live log. Its secret is told this once; who shows it may read, until `expiresAtMs`.
   *
   * @throws SkerryError ERR_TAIL_LIMIT
   */
  async createTail(filters: TailFilter[], expiresAtMs: number): Promise<{ id: string; secret: string }> {
    const id = createHexId()
    const secret = toHex(crypto.getRandomValues(new Uint8Array(32)))
    const secretHash = await sha256Hex(secret)
    this.#dropEnded()
    if (this.#tails.size >= LIMITS.tailsPerScript) {
      const detail = `${this.#tails.size} live logs of this script are open; the limit is ${LIMITS.tailsPerScript}.`
      throw new SkerryError('ERR_TAIL_LIMIT', `${detail} Close one, or wait a minute after one broke off.`)
    }
    this.#write({ id, filters, expiresAtMs, secretHash, idleSinceMs: Date.now() })
    await this.#scheduleSweep()
    return { id, secret }
  }

  /** Ends a live log; one that is gone already is no error. */
  async deleteTail(id: string): Promise<void> {
    this.#end(id, 'The live log was closed.')
    await this.#scheduleSweep()
  }

  /** The live logs that are open. */
  listTails(): TailInfo[] {
    this.#dropEnded()
    return [...this.#tails.values()].map(({ id, filters, expiresAtMs }) => ({ id, filters, expiresAtMs }))
  }

  /** Until when the script's isolates must report, in milliseconds since the epoch; 0 = nobody reads. */
  activeUntilMs(): number {
    this.#dropEnded()
    return Math.max(0, ...[...this.#tails.values()].map(tail => tail.expiresAtMs))
  }

  /** Hands invocations on to the readers whose filters they match. */
  publish(events: readonly TailEvent[]): void {
    const sockets = this.ctx.getWebSockets()
    if (sockets.length === 0) return
    for (const event of events) {
      let text: string | undefined
      for (const socket of sockets) {
        const tail = this.#tails.get(this.ctx.getTags(socket)[0] ?? '')
        if (!tail || !matchesTailFilters(tail.filters, event, Math.random())) continue
        text ??= JSON.stringify(event.message)
        this.#send(socket, text, event.message)
      }
    }
  }

  /** Connects a reader: a WebSocket to `…/<id>?secret=<secret>`. 404 if id or secret are wrong. */
  override async fetch(request: Request): Promise<Response> {
    const url = new URL(request.url)
    const id = url.pathname.slice(url.pathname.lastIndexOf('/') + 1)
    const given = await sha256Hex(url.searchParams.get('secret') ?? '')
    this.#dropEnded()
    const tail = this.#tails.get(id)
    if (!tail || !equalText(given, tail.secretHash)) return new Response(null, { status: 404 })

    const { 0: client, 1: server } = new WebSocketPair()
    for (const older of this.ctx.getWebSockets(id)) older.close(1000, 'Another reader took over.')
    this.ctx.acceptWebSocket(server, [id])
    this.#write({ ...tail, idleSinceMs: undefined })
    await this.#scheduleSweep()
    // wrangler refuses a server that doesn't choose its protocol.
    const offered = (request.headers.get('sec-websocket-protocol') ?? '').split(',').map(part => part.trim())
    const headers = offered.includes(PROTOCOL) ? { 'sec-websocket-protocol': PROTOCOL } : undefined
    return new Response(null, { status: 101, webSocket: client, ...(headers && { headers }) })
  }

  /** wrangler says `{"debug":false}` once; nothing that a reader says matters. Pings are answered by the runtime. */
  override webSocketMessage(): void {}

  override async webSocketClose(socket: WebSocket): Promise<void> {
    socket.close(1000)
    await this.#leave(socket)
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    await this.#leave(socket)
  }

  /** Ends what is over, and tells the edges when nobody reads any more. */
  override async alarm(): Promise<void> {
    this.#dropEnded()
    await this.#scheduleSweep()
    if (this.#tails.size > 0) return
    const [accountId = '', script = ''] = (this.ctx.id.name ?? '').split('/')
    const account = this.env.ACCOUNT.get(this.env.ACCOUNT.idFromName(accountId))
    try {
      await account.setTailing(script, 0)
      // Somebody may have come while that was under way.
      if (this.#tails.size > 0) await account.setTailing(script, this.activeUntilMs())
    } catch {
      // The script is gone: then there is nothing to tell.
    }
  }

  #send(socket: WebSocket, text: string, { scriptName }: TailMessage): void {
    const lost = this.#lost.get(socket)
    if (lost !== undefined && socket.bufferedAmount <= RESUME_BYTES) {
      this.#lost.delete(socket)
      socket.send(notice(scriptName, 'overload-stop', `Logs are complete again; ${lost} were left out.`))
    }
    if (socket.bufferedAmount + text.length <= MAX_BUFFERED_BYTES) {
      socket.send(text)
      return
    }
    if (lost === undefined) socket.send(notice(scriptName, 'overload', OVERLOAD))
    this.#lost.set(socket, (lost ?? 0) + 1)
  }

  /** wrangler starts anew after a broken connection; anyone else may come back within the minute. */
  async #leave(socket: WebSocket): Promise<void> {
    const id = this.ctx.getTags(socket)[0] ?? ''
    const tail = this.#tails.get(id)
    if (!tail || this.ctx.getWebSockets(id).some(other => other !== socket && other.readyState === OPEN))
      return
    this.#write({ ...tail, idleSinceMs: Date.now() })
    await this.#scheduleSweep()
  }

  #dropEnded(): void {
    const nowMs = Date.now()
    for (const tail of this.#tails.values()) {
      if (endOf(tail) <= nowMs) this.#end(tail.id, 'The live log expired.')
    }
  }

  #end(id: string, reason: string): void {
    this.#tails.delete(id)
    this.ctx.storage.kv.delete(PREFIX + id)
    // 1000 is the end for wrangler; after any other code it would start anew.
    for (const socket of this.ctx.getWebSockets(id)) socket.close(1000, reason)
  }

  #write(tail: Tail): void {
    this.#tails.set(tail.id, tail)
    this.ctx.storage.kv.put(PREFIX + tail.id, tail)
  }

  async #scheduleSweep(): Promise<void> {
    const next = Math.min(...[...this.#tails.values()].map(endOf))
    if (Number.isFinite(next)) await this.ctx.storage.setAlarm(next)
    else await this.ctx.storage.deleteAlarm()
  }
}

/** Each stored tail, by id: `tail/<id>`. */
const PREFIX = 'tail/'
const PROTOCOL = 'trace-v1'
const OPEN = 1

/** How long a live log stays when nobody is connected. */
const IDLE_MS = 60_000

/** What waits for a slow reader, at most, and when it counts as fast again. */
const MAX_BUFFERED_BYTES = 1024 * 1024
const RESUME_BYTES = 64 * 1024

const OVERLOAD =
  'There are more logs than this connection takes; some are left out. Use filters to see fewer.'

function endOf({ expiresAtMs, idleSinceMs }: Tail): number {
  return idleSinceMs === undefined ? expiresAtMs : Math.min(expiresAtMs, idleSinceMs + IDLE_MS)
}

function notice(scriptName: string, type: 'overload' | 'overload-stop', message: string): string {
  const event = { type, message }
  const base = { outcome: 'ok', scriptName, eventTimestamp: Date.now(), truncated: false }
  return JSON.stringify({ ...base, event, logs: [], exceptions: [] } satisfies TailMessage)
}

/** Compares two digests without telling by time where they differ. */
function equalText(left: string, right: string): boolean {
  const encoder = new TextEncoder()
  const [a, b] = [encoder.encode(left), encoder.encode(right)]
  return a.byteLength === b.byteLength && crypto.subtle.timingSafeEqual(a, b)
}
