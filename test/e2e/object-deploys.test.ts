import { describe, expect, onTestFinished, test } from 'vitest'
import type { Platform } from './support/client.ts'
import { openHosts } from './support/hosts.ts'
import { openSocket } from './support/socket.ts'

const hosts = await openHosts('object-deploys')

/** A class that says which version it is, and a way to its objects, without a binding: `/<object>/<method>`. */
const source = (version: string) => `
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers'
export class Room extends DurableObject {
  async visit() {
    const visits = ((await this.ctx.storage.get('visits')) ?? 0) + 1
    await this.ctx.storage.put('visits', visits)
    return { version: '${version}', visits }
  }
  neighbour() { return this.ctx.exports.Room.getByName('neighbour').visit() }
  async useStub(stub) { return (await stub.visit()).visits }
  getStub() { return this.ctx.exports.Room.getByName('stub') }
  async useService({ service }) { return [await service.greet('you'), await (await service.fetch('http://helper/')).text()] }
  getService() { return this.env.HELPER }
  fetch() {
    const [client, server] = Object.values(new WebSocketPair())
    this.ctx.acceptWebSocket(server)
    return new Response(null, { status: 101, webSocket: client })
  }
  webSocketMessage(socket, message) { socket.send('${version} ' + message) }
}
export class Helper extends WorkerEntrypoint {
  neighbour() { return this.ctx.exports.Room.getByName('neighbour').visit() }
}
export default {
  async fetch(request, env, ctx) {
    const [, name, method] = new URL(request.url).pathname.split('/')
    const room = ctx.exports.Room.getByName(name)
    if (method === 'fetch') return room.fetch(request)
    if (method === 'helper') return Response.json(await ctx.exports.Helper.neighbour())
    if (method === 'useStub') return Response.json(await room.useStub(ctx.exports.Room.getByName('stub')))
    if (method === 'useService') return Response.json(await room.useService({ service: env.HELPER }))
    if (method === 'getService') return Response.json(await (await room.getService()).greet('me'))
    if (method === 'getStub') return Response.json((await room.getStub().visit()).visits)
    return Response.json(await room[method]())
  },
}`
const HELPER = `
import { WorkerEntrypoint } from 'cloudflare:workers'
export default class extends WorkerEntrypoint {
  greet(name) { return 'hello, ' + name }
  fetch() { return new Response('helped') }
}`
const MIGRATION = { migrations: { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Room'] }] } }

interface Visit {
  readonly version: string
  readonly visits: number
}

describe.each(hosts)('deploys of Durable Objects on `npm $kind`', platform => {
  const ask = async (script: string, path: string) => JSON.parse(await platform.read(script, path))

  test('a class that a migration names is in ctx.exports as a namespace, without a binding', async () => {
    await platform.upload('unbound', source('1'), MIGRATION)
    expect(await ask('unbound', '/a/visit')).toEqual({ version: '1', visits: 1 })
    expect(await ask('unbound', '/a/visit')).toEqual({ version: '1', visits: 2 })
    expect(await ask('unbound', '/a/neighbour')).toEqual({ version: '1', visits: 1 })
    expect(await ask('unbound', '/a/helper')).toEqual({ version: '1', visits: 2 })
  })

  test('a stub of an object or of a service is passed to an object, and given by one', async () => {
    await platform.upload('helper', HELPER)
    const bindings = [{ type: 'service', name: 'HELPER', service: 'helper' }]
    await platform.upload('stubs', source('1'), { ...MIGRATION, bindings })
    expect(await ask('stubs', '/a/useStub')).toBe(1)
    expect(await ask('stubs', '/a/getStub')).toBe(2)
    expect(await ask('stubs', '/a/useService')).toEqual(['hello, you', 'helped'])
    expect(await ask('stubs', '/a/getService')).toBe('hello, me')
  })

  test('a deploy closes the WebSockets of the old code at once, and no others', async () => {
    for (const script of ['rooms', 'others']) await platform.upload(script, source('1'), MIGRATION)
    const open = async (script: string) => {
      const socket = await openSocket(platform.port, `${script}.${platform.domain}`, '/a/fetch')
      onTestFinished(() => socket.close())
      socket.send('hi')
      expect(await socket.next()).toBe('1 hi')
      return socket
    }
    const [socket, other] = [await open('rooms'), await open('others')]
    await platform.upload('rooms', source('2'), {})
    await socket.ended()
    other.send('still')
    expect(await other.next()).toBe('1 still')
    expect(await ask('rooms', '/a/visit')).toEqual({ version: '2', visits: 1 })
  })

  test('while traffic is split, each object stays with a version; what it stored outlives the split', async () => {
    await platform.upload('split', source('1'), MIGRATION)
    await platform.upload('split', source('2'), {})
    await deploy(platform, 'split', [50, 50])
    const names = Array.from({ length: 16 }, (_, i) => `/object-${i}/visit`)
    const visitAll = () => Promise.all(names.map(name => ask('split', name) as Promise<Visit>))
    const first = await visitAll()
    expect(new Set(first.map(({ version }) => version))).toEqual(new Set(['1', '2']))
    expect(await visitAll()).toEqual(first.map(({ version }) => ({ version, visits: 2 })))
    await deploy(platform, 'split', [0, 100])
    expect(await visitAll()).toEqual(first.map(() => ({ version: '2', visits: 3 })))
  })
})

/** Gives the oldest and the newest version of a script shares of the traffic. */
async function deploy(platform: Platform, script: string, [oldest, newest]: [number, number]): Promise<void> {
  const path = `$A/workers/scripts/${script}`
  const { result } = await platform.api<{ items: { id: string }[] }>('GET', `${path}/versions`)
  const versions = [
    { version_id: result.items.at(-1)?.id, percentage: oldest },
    { version_id: result.items[0]?.id, percentage: newest },
  ].filter(({ percentage }) => percentage > 0)
  const answer = await platform.api('POST', `${path}/deployments`, { strategy: 'percentage', versions })
  expect(answer.errors).toEqual([])
}
