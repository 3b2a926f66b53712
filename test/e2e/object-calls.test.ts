import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { openSocket } from './support/socket.ts'

const hosts = await openHosts('object-calls')

/** A script with a class that says which version it is, and a way to call its objects: `/<object>/<method>?a=…`. */
const source = (version: string, bindings = 'ROOM') => `
import { DurableObject, RpcTarget } from 'cloudflare:workers'
class Tool extends RpcTarget { add(n) { return n + 1 } }
export class Room extends DurableObject {
  #calls = 0
  async visit() {
    const visits = ((await this.ctx.storage.get('visits')) ?? 0) + 1
    await this.ctx.storage.put('visits', visits)
    return { version: '${version}', visits, calls: ++this.#calls, name: this.ctx.id.name }
  }
  getId() { return this.ctx.id.toString() }
  fail() { throw Object.assign(new RangeError('too far'), { code: 'E_FAR' }) }
  tool() { return new Tool() }
  callback(call) { return call('called') }
  async useTools() {
    await this.env.STORE?.put('written by', this.ctx.id.name)
    return [await this.env.STORE?.get('written by'), await this.env.ROOM.getByName('other').visit()]
  }
  fetch(request) {
    if (request.headers.get('upgrade') !== 'websocket') return Response.json({ cf: request.cf ?? null, headers: [...request.headers] })
    const [client, server] = Object.values(new WebSocketPair())
    this.ctx.acceptWebSocket(server, ['tag'])
    server.serializeAttachment('kept')
    return new Response(null, { status: 101, webSocket: client })
  }
  webSocketMessage(socket, message) {
    socket.send(['${version}', message, this.ctx.getTags(socket), socket.deserializeAttachment()].join(' '))
  }
}
export default {
  async fetch(request, env) {
    const [, name, method] = new URL(request.url).pathname.split('/')
    const room = env.${bindings}.getByName(name)
    try {
      if (method === 'fetch') return await room.fetch(request)
      if (method === 'cf') return await room.fetch('http://room/', { cf: { own: 1 }, headers: { 'x-own': 'yes' } })
      if (method === 'tool') return Response.json(await room.tool().add(41))
      if (method === 'callback') return Response.json(await room.callback(text => text + ' back'))
      return Response.json(await room[method]())
    } catch (error) {
      const { name, message, code, remote } = error
      return Response.json({ name, message, code, remote, isRange: error instanceof RangeError })
    }
  },
}`

const ROOM = { type: 'durable_object_namespace', name: 'ROOM', class_name: 'Room' }
const MIGRATION = { migrations: { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Room'] }] } }

describe.each(hosts)('a Durable Object on `npm $kind`', platform => {
  const ask = async (path: string, script = 'rooms') => JSON.parse(await platform.read(script, path))

  beforeAll(async () => {
    const store = await platform.api<{ id: string }>('POST', '$A/storage/kv/namespaces', { title: 'objects' })
    const kv = { type: 'kv_namespace', name: 'STORE', namespace_id: store.result.id }
    await platform.upload('rooms', source('1'), { bindings: [ROOM, kv], ...MIGRATION })
  })

  test('keeps its state, in memory and stored, apart from other objects', async () => {
    expect(await ask('/a/visit')).toEqual({ version: '1', visits: 1, calls: 1, name: 'a' })
    expect(await ask('/a/visit')).toEqual({ version: '1', visits: 2, calls: 2, name: 'a' })
    expect(await ask('/b/visit')).toMatchObject({ visits: 1, name: 'b' })
    expect(await ask('/a/getId')).toMatch(/^[0-9a-f]{64}$/)
    expect(await ask('/a/getId')).not.toBe(await ask('/b/getId'))
  })

  test('passes errors, callbacks and results on their way across processes', async () => {
    expect(await ask('/calls/fail')).toEqual({
      ...{ name: 'RangeError', message: 'too far', code: 'E_FAR', remote: true, isRange: true },
    })
    expect(await ask('/calls/tool')).toBe(42)
    expect(await ask('/calls/callback')).toBe('called back')
  })

  test('gets the request that was sent, and nothing of the platform', async () => {
    const { cf, headers } = await ask('/calls/cf')
    expect(cf).toEqual({ own: 1 })
    expect(headers).toEqual([['x-own', 'yes']])
  })

  test('uses KV and calls other objects', async () => {
    expect(await ask('/user/useTools')).toMatchObject(['user', { name: 'other' }])
  })

  test("is reached by another script's binding", async () => {
    const binding = { ...ROOM, name: 'THEIRS', script_name: 'rooms' }
    await platform.upload('visitors', source('none', 'THEIRS').replace('export class', 'class'), {
      bindings: [binding],
    })
    await ask('/shared/visit')
    expect(await ask('/shared/visit', 'visitors')).toMatchObject({ version: '1', visits: 2, name: 'shared' })
  })

  test('runs new code at the next call after a deploy, with what it stored; its sockets are closed', async () => {
    await ask('/moved/visit')
    const socket = await openSocket(platform.port, `rooms.${platform.domain}`, '/moved/fetch')
    onTestFinished(() => socket.close())
    socket.send('hi')
    expect(await socket.next()).toBe('1 hi tag kept')

    await platform.upload('rooms', source('2'), { bindings: [ROOM] })
    expect(await ask('/moved/visit')).toEqual({ version: '2', visits: 2, calls: 1, name: 'moved' })
    const again = await openSocket(platform.port, `rooms.${platform.domain}`, '/moved/fetch')
    onTestFinished(() => again.close())
    again.send('hello')
    expect(await again.next()).toBe('2 hello tag kept')
  })
})
