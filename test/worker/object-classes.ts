import { DurableObject, RpcTarget } from 'cloudflare:workers'
import { see } from './object-see.ts'

class Calculator extends RpcTarget {
  #sum = 0
  add(n: number): number {
    this.#sum += n
    return this.#sum
  }
  get sum(): number {
    return this.#sum
  }
}

interface AlarmInfo {
  readonly retryCount: number
  readonly isRetry: boolean
  readonly scheduledTime?: number
}

/** The object that is tried: everything an object can be asked for. */
export class Tried extends DurableObject<Record<string, DurableObjectNamespace<Tried>>> {
  #count = 0
  readonly #looks: string[] = []
  readonly field = 'a field'

  get getter(): string {
    return 'a getter'
  }
  get tools(): Calculator {
    return new Calculator()
  }

  echo(...args: unknown[]): unknown {
    return args
  }
  increment(by = 1): number {
    this.#count += by
    return this.#count
  }
  async later(ms: number): Promise<string> {
    await scheduler.wait(ms)
    return 'later'
  }
  describe(): unknown {
    const { ctx } = this
    return {
      id: /^[0-9a-f]{64}$/.test(ctx.id.toString()),
      name: ctx.id.name,
      text: `${ctx.id}`.length,
      json: JSON.stringify(ctx.id),
      keys: Object.keys(ctx.id),
      idType: Object.prototype.toString.call(ctx.id),
      props: JSON.stringify(ctx.props),
      className: this.constructor.name,
      isDurableObject: this instanceof DurableObject,
      env: Object.keys(this.env).sort(),
    }
  }
  id(): string {
    return this.ctx.id.toString()
  }
  sameAs(name: string): unknown {
    const id = this.env.Tried?.idFromName(name)
    return id && [this.ctx.id.equals(id), id.equals(this.ctx.id)]
  }
  callSelf(): unknown {
    return this.env.Tried?.get(this.ctx.id).getName()
  }
  getName(): string | undefined {
    return this.ctx.id.name
  }
  async callOther(name: string, path: string): Promise<unknown> {
    const other = this.env.Tried?.getByName(name)
    return path === 'fetch' ? (await other?.fetch('http://object/echo'))?.text() : other?.getName()
  }
  callExported(name: string): unknown {
    const { Tried } = this.ctx.exports as unknown as { Tried: DurableObjectNamespace<Tried> }
    return Tried.getByName(name).getName()
  }
  callFacet(): unknown {
    const { facets, exports } = this.ctx as unknown as {
      readonly facets: { get(name: string, start: () => object): DurableObjectStub<Tried> }
      readonly exports: { readonly Tried: unknown }
    }
    return facets.get('own', () => ({ class: exports.Tried })).increment(5)
  }
  async useStub(stub: DurableObjectStub<Tried>): Promise<unknown> {
    return [await stub.getName(), await stub.getter, await (await stub.fetch('http://object/echo')).text()]
  }
  useStubIn({ stub }: { stub: DurableObjectStub<Tried> }): Promise<unknown> {
    return this.useStub(stub)
  }
  getStub(name: string): DurableObjectStub<Tried> {
    return this.env.Tried?.getByName(name) as DurableObjectStub<Tried>
  }
  fail(type: string): never {
    const types: Record<string, () => unknown> = {
      error: () => new Error('an error'),
      range: () => new RangeError('out of range'),
      type: () => new TypeError('wrong'),
      custom: () => Object.assign(new Error('own'), { name: 'OwnError', code: 'E_OWN', details: { a: 1 } }),
      flags: () => Object.assign(new Error('busy'), { overloaded: true, retryable: true }),
      cause: () => new Error('outer', { cause: new Error('inner') }),
      text: () => 'just text',
      undefined: () => undefined,
      object: () => ({ a: 1 }),
      dom: () => new DOMException('stop', 'AbortError'),
    }
    throw types[type]?.()
  }
  rejects(): Promise<never> {
    return Promise.reject(new RangeError('rejected'))
  }
  callback(call: (n: number) => unknown): unknown {
    return call(21)
  }
  getFunction(by: number): (n: number) => number {
    return n => n * by
  }
  getTarget(): Calculator {
    return new Calculator()
  }
  getNested(): unknown {
    return { deep: { tool: new Calculator(), value: 7 }, list: [1, 2, 3] }
  }
  useTarget(target: { add(n: number): Promise<number> }): Promise<number> {
    return target.add(5)
  }
  getStream(): ReadableStream {
    return new Blob(['a stream']).stream()
  }
  readStream(stream: ReadableStream): Promise<string> {
    return new Response(stream).text()
  }
  async answer(request: Request): Promise<Response> {
    return new Response(`${request.method} ${await request.text()}`, { status: 201 })
  }

  async storage(): Promise<unknown> {
    const { storage } = this.ctx
    await storage.put({ a: 1, b: { c: [new Date(5), new Set([1])] } })
    await storage.put('z', new Uint8Array([1, 2]))
    return [
      await storage.get('a'),
      await storage.get(['a', 'b', 'none']),
      await storage.list({ reverse: true, limit: 2 }),
      await storage.delete('z'),
      await storage.delete(['z', 'a']),
      await storage.list(),
    ]
  }
  syncStorage(): unknown {
    const { kv } = this.ctx.storage
    kv.put('sync', { n: 1 })
    return [kv.get('sync'), [...kv.list()], kv.delete('sync'), kv.get('sync')]
  }
  sql(): unknown {
    const { sql } = this.ctx.storage
    sql.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT, bytes BLOB)')
    sql.exec('INSERT INTO t (name, bytes) VALUES (?, ?), (?, ?)', 'anna', new Uint8Array([1]), 'bo', null)
    const cursor = sql.exec('SELECT * FROM t ORDER BY id')
    return [
      cursor.toArray(),
      cursor.columnNames,
      cursor.rowsRead,
      [...sql.exec('SELECT name FROM t').raw()],
      sql.exec('SELECT count(*) AS n FROM t').one(),
      sql.databaseSize > 0,
    ]
  }
  sqlFailure(query: string): unknown {
    return this.ctx.storage.sql.exec(query).toArray()
  }
  async transaction(how: string): Promise<unknown> {
    const { storage } = this.ctx
    await storage.put('t', 0)
    const outcome = await see(() =>
      storage.transaction(async txn => {
        await txn.put('t', 1)
        if (how === 'rollback' || how === 'set before') txn.rollback()
        if (how === 'throw') throw new Error('rolled back')
        return 'done'
      }),
    )
    return [outcome, await storage.get('t')]
  }
  async transactionSync(how: string): Promise<unknown> {
    const { storage } = this.ctx
    storage.kv.put('s', 0)
    const outcome = await see(() =>
      storage.transactionSync(() => {
        storage.kv.put('s', 1)
        if (how === 'throw') throw new Error('rolled back')
        return 'done'
      }),
    )
    return [outcome, storage.kv.get('s')]
  }
  async deleteAll(): Promise<unknown> {
    await this.ctx.storage.put('gone', 1)
    await this.ctx.storage.setAlarm(FAR)
    await this.ctx.storage.deleteAll()
    return [await this.ctx.storage.list(), await this.ctx.storage.getAlarm()]
  }
  async block(): Promise<unknown> {
    const order: string[] = []
    const result = await this.ctx.blockConcurrencyWhile(async () => {
      await scheduler.wait(1)
      order.push('inside')
      return 'blocked'
    })
    order.push('after')
    return [result, order]
  }
  async blockAndFail(): Promise<unknown> {
    return this.ctx.blockConcurrencyWhile(async () => {
      throw new Error('failed inside')
    })
  }
  abort(reason?: string): void {
    this.ctx.abort(reason)
  }
  waitUntil(): string {
    this.ctx.waitUntil(this.ctx.storage.put('waited', true))
    return 'returned'
  }
  get(key: string): Promise<unknown> {
    return this.ctx.storage.get(key)
  }

  setAlarm(...args: unknown[]): Promise<void> {
    return Reflect.apply(this.ctx.storage.setAlarm, this.ctx.storage, args)
  }
  async trySetAlarm(time: unknown): Promise<unknown> {
    const { storage } = this.ctx
    await storage.deleteAlarm()
    const set = await see(() => Reflect.apply(storage.setAlarm, storage, [time]))
    const alarm = await storage.getAlarm()
    await storage.deleteAlarm()
    return [set, alarm !== null && Math.abs(alarm - Date.now()) < 5000 ? 'now' : alarm]
  }
  setAlarmAndForget(time: number): string {
    void this.ctx.storage.setAlarm(time)
    return 'set'
  }
  readAlarm(): Promise<unknown> {
    return this.ctx.storage.getAlarm()
  }
  deleteAlarm(): Promise<void> {
    return this.ctx.storage.deleteAlarm()
  }
  readAlarmBlocked(): Promise<unknown> {
    return this.ctx.blockConcurrencyWhile(() => this.ctx.storage.getAlarm())
  }
  /** Which calls were in it when, with an alarm that is looked at in between. */
  async lookBetween(name: string): Promise<unknown> {
    this.#looks.push(`${name} in`)
    await this.ctx.storage.getAlarm()
    this.#looks.push(`${name} out`)
    return this.#looks
  }
  async alarmInTransaction(how: string): Promise<unknown> {
    const { storage } = this.ctx
    if (how !== 'set before') await storage.setAlarm(FAR)
    const seen: unknown[] = []
    await see(() =>
      storage.transaction(async txn => {
        if (how === 'set before') seen.push(await txn.getAlarm())
        await txn.setAlarm(FAR + 1)
        seen.push(await txn.getAlarm(), await storage.getAlarm())
        if (how === 'delete') await txn.deleteAlarm()
        if (how === 'rollback' || how === 'set before') txn.rollback()
        if (how === 'throw') throw new Error('rolled back')
      }),
    )
    seen.push(await storage.getAlarm())
    await storage.deleteAlarm()
    return seen
  }
  async alarmInTransactionSync(how: string): Promise<unknown> {
    const { storage } = this.ctx
    await storage.setAlarm(FAR)
    await see(() =>
      storage.transactionSync(() => {
        void storage.setAlarm(FAR + 1)
        if (how === 'throw') throw new Error('rolled back')
      }),
    )
    const seen = await storage.getAlarm()
    await storage.deleteAlarm()
    return seen
  }
  async alarmAtOnce(): Promise<unknown> {
    void this.ctx.storage.setAlarm(FAR)
    const set = await this.ctx.storage.getAlarm()
    void this.ctx.storage.deleteAlarm()
    return [set, await this.ctx.storage.getAlarm()]
  }
  /** Sets an alarm for now whose handler does as told, and says what it saw. */
  async runAlarm(order: string, inMs = 0): Promise<void> {
    await this.ctx.storage.put('order', order)
    await this.ctx.storage.delete('alarms')
    await this.ctx.storage.setAlarm(Date.now() + inMs)
  }
  async alarms(): Promise<unknown> {
    return [await this.ctx.storage.get('alarms'), await this.ctx.storage.getAlarm()]
  }
  override async alarm(info?: AlarmInfo): Promise<void> {
    const { storage } = this.ctx
    const alarms = (await storage.get<unknown[]>('alarms')) ?? []
    const seen = { retryCount: info?.retryCount, isRetry: info?.isRetry, alarm: await storage.getAlarm() }
    await storage.put('alarms', [...alarms, seen])
    const order = await storage.get<string>('order')
    if (order === 'again' && alarms.length < 2) await storage.setAlarm(Date.now())
    if (order === 'far') await storage.setAlarm(FAR)
    if (order === 'far and fail') {
      await storage.setAlarm(FAR)
      throw new Error('alarm failed')
    }
    if (order === 'fail once' && alarms.length === 0) throw new Error('alarm failed')
  }

  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    switch (pathname) {
      case '/echo': {
        const { method, url, headers, cf } = request
        const seen = [...headers].filter(([name]) => name !== 'content-length')
        return Response.json({ method, url, headers: seen, cf, body: await request.text() })
      }
      case '/count':
        return Response.json(this.increment())
      case '/fail':
        throw new RangeError('fetch failed')
      case '/redirect':
        return new Response(null, { status: 302, headers: { location: '/echo' } })
      case '/stream': {
        const { readable, writable } = new TransformStream()
        void request.body?.pipeTo(writable)
        return new Response(readable, { headers: { 'x-own': 'yes' } })
      }
      case '/nothing':
        return undefined as unknown as Response
      case '/websocket': {
        const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket]
        server.accept()
        server.addEventListener('message', ({ data }) => server.send(`plain ${data}`))
        return new Response(null, { status: 101, webSocket: client })
      }
      case '/hibernate': {
        const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket]
        this.ctx.acceptWebSocket(server, ['one', 'two'])
        server.serializeAttachment({ since: 5 })
        this.ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair('ping', 'pong'))
        return new Response(null, { status: 101, webSocket: client })
      }
      default:
        return new Response('not found', { status: 404 })
    }
  }
  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): void {
    const tags = this.ctx.getTags(socket)
    const sockets = this.ctx.getWebSockets('one').length
    socket.send(JSON.stringify({ message, tags, sockets, attachment: socket.deserializeAttachment() }))
    if (message === 'close') socket.close(4001, 'asked for')
  }
  override webSocketClose(_: WebSocket, code: number, reason: string): Promise<void> {
    return this.ctx.storage.put('closed', [code, reason])
  }
}

/** An object without an alarm handler and without fetch(). */
export class Quiet extends DurableObject {
  async setAlarm(time: number): Promise<void> {
    await this.ctx.storage.setAlarm(time)
  }
  async readAlarm(): Promise<unknown> {
    await this.ctx.storage.deleteAlarm()
    return this.ctx.storage.getAlarm()
  }
}

/** An object of the old style: it extends nothing. */
export class Plain {
  readonly #state: DurableObjectState

  constructor(state: DurableObjectState) {
    this.#state = state
  }
  async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    const { storage, id } = this.#state
    if (pathname === '/alarm') await storage.setAlarm(Date.now())
    if (pathname === '/far') {
      await storage.setAlarm(FAR)
      return Response.json(await storage.getAlarm())
    }
    if (pathname === '/fail') throw new RangeError('plain failed')
    return Response.json({ name: id.name, fired: await storage.get('fired') })
  }
  async alarm(): Promise<void> {
    await this.#state.storage.put('fired', true)
  }
  method(): void {}
}

/** An alarm that doesn't fire during a test. */
export const FAR = 4_000_000_000_000
