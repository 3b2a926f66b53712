import { setTimeout as delay } from 'node:timers/promises'
import { beforeAll, describe, expect, type TestContext, test } from 'vitest'
import { openHosts } from './support/hosts.ts'
import { openSocket } from './support/socket.ts'

const hosts = await openHosts('object-rest')

/** Says which version it is and since when it runs; its alarm and its timer note when they ran. */
const source = (version: string) => `
import { DurableObject } from 'cloudflare:workers'
export class Sleeper extends DurableObject {
  #since = crypto.randomUUID()
  async arm(inMs) {
    await this.ctx.storage.setAlarm(Date.now() + Number(inMs))
    return this.ctx.storage.getAlarm()
  }
  async disarm() { await this.ctx.storage.deleteAlarm() }
  async alarm() {
    await this.ctx.storage.put('rang', Date.now())
    for (const socket of this.ctx.getWebSockets()) socket.send('rang')
  }
  startTimer(inMs) { setTimeout(() => this.ctx.storage.put('timer', this.#since), Number(inMs)) }
  async look() {
    const { storage } = this.ctx
    const [rang, timer] = [await storage.get('rang'), await storage.get('timer')]
    return { version: '${version}', since: this.#since, alarm: await storage.getAlarm(), rang, timer }
  }
  fetch() {
    const [client, server] = Object.values(new WebSocketPair())
    this.ctx.acceptWebSocket(server)
    return new Response(null, { status: 101, webSocket: client })
  }
  async webSocketMessage(socket, message) {
    if (message.startsWith('arm ')) await this.arm(message.slice(4))
    socket.send(String(await this.ctx.storage.getAlarm()))
  }
}
export default {
  async fetch(request, env) {
    const [, name, method, argument] = new URL(request.url).pathname.split('/')
    const object = env.SLEEPER.getByName(name)
    if (method === 'fetch') return object.fetch(request)
    return Response.json((await object[method](argument)) ?? null)
  },
}`
const bindings = [{ type: 'durable_object_namespace', name: 'SLEEPER', class_name: 'Sleeper' }]
const METADATA = { bindings, migrations: { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Sleeper'] }] } }

/** The runtime ends an object ten seconds after it was last used. */
const REST_MS = 11_000

interface Look {
  readonly version: string
  readonly since: string
  readonly alarm: number | null
  readonly rang?: number
  readonly timer?: string
}

describe.concurrent.each(hosts)('an object that has rested on `npm $kind`', platform => {
  const ask = async <T>(path: string, script = 'sleepers') =>
    JSON.parse(await platform.read(script, path)) as T
  const look = (name: string, script?: string) => ask<Look>(`/${name}/look`, script)
  const hasRung = ({ expect }: TestContext, name: string) =>
    expect.poll(async () => (await look(name)).rang, { timeout: 10_000 }).toEqual(expect.any(Number))
  const open = async ({ onTestFinished }: TestContext, name: string) => {
    const socket = await openSocket(platform.port, `sleepers.${platform.domain}`, `/${name}/fetch`)
    onTestFinished(() => socket.close())
    return socket
  }

  beforeAll(async () => {
    await platform.upload('sleepers', source('1'), METADATA)
    await platform.upload('deployed', source('1'), METADATA)
  })

  test('has its alarm, and hears it', async context => {
    const alarm = await ask<number>('/alarm/arm/15000')
    await delay(REST_MS)
    expect(await look('alarm')).toMatchObject({ alarm })
    await hasRung(context, 'alarm')
    const { rang, alarm: after } = await look('alarm')
    expect(rang).toBeGreaterThanOrEqual(alarm)
    expect(after).toBeNull()
  })

  test('hears its alarm though nobody called it meanwhile', async context => {
    const alarm = await ask<number>('/unasked/arm/12500')
    await delay(alarm - Date.now())
    await hasRung(context, 'unasked')
  })

  test('has no alarm that rang, or that it deleted, before', async context => {
    await ask('/rang/arm/1')
    await hasRung(context, 'rang')
    await ask('/deleted/arm/60000')
    await ask('/deleted/disarm')
    await delay(REST_MS)
    expect(await look('rang')).toMatchObject({ alarm: null })
    expect(await look('deleted')).toMatchObject({ alarm: null })
  })

  test('runs the code that was deployed meanwhile', async () => {
    const { since } = await look('a', 'deployed')
    await platform.upload('deployed', source('2'), { bindings })
    await delay(REST_MS)
    const now = await look('a', 'deployed')
    expect(now.version).toBe('2')
    expect(now.since).not.toBe(since)
  })

  test('has its sockets, and its alarm is known to them', async context => {
    const socket = await open(context, 'sockets')
    socket.send('arm 15000')
    const alarm = await socket.next()
    await delay(REST_MS)
    socket.send('look')
    expect(await socket.next()).toBe(alarm)
    expect(await socket.next()).toBe('rang')
    socket.send('look')
    expect(await socket.next()).toBe('null')
    socket.send('arm 600000')
    expect(Number(await socket.next())).toBeGreaterThan(Date.now())
    expect(await look('sockets')).toMatchObject({ version: '1', rang: expect.any(Number) })
  })

  test('hears its alarm, which its sockets see, though all slept', async context => {
    const socket = await open(context, 'sleeping')
    socket.send('arm 12500')
    await socket.next()
    expect(await socket.next()).toBe('rang')
  })

  test('goes on with what it does when it is called again', async ({ expect }) => {
    const { since } = await look('busy')
    await ask('/busy/startTimer/13000')
    await delay(REST_MS)
    await look('busy')
    await expect.poll(async () => (await look('busy')).timer, { timeout: 10_000 }).toBe(since)
  })
})
