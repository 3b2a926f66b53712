// Stands in for the platform's Worker: its classes and health, and of its API what a first start calls.
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers'

export class Directory extends DurableObject {
  count() {
    const { sql } = this.ctx.storage
    sql.exec('CREATE TABLE IF NOT EXISTS counter (n INTEGER)')
    sql.exec('INSERT INTO counter VALUES (1)')
    return sql.exec('SELECT count(*) AS n FROM counter').one().n
  }
}
export class Account extends DurableObject {}
export class CronClock extends DurableObject {}
export class TailHub extends DurableObject {}
export class Limiter extends DurableObject {}
export class Records extends DurableObject {}
export class Queue extends DurableObject {}
export class Workflow extends DurableObject {}
export class Bucket extends DurableObject {}
export class Analytics extends DurableObject {}
export class UserObject extends DurableObject {}
export class ObjectIndex extends DurableObject {}
export class Database extends DurableObject {}

export class Health extends WorkerEntrypoint {
  fetch() {
    return Response.json({ ready: true })
  }
}
export class Ops extends WorkerEntrypoint {
  fetch() {
    return Response.json({})
  }
}
export class Handover extends WorkerEntrypoint {}
export class D1Entrypoint extends WorkerEntrypoint {}

const isText = value => typeof value === 'string'

export default {
  async fetch(request, env) {
    const { hostname, pathname } = new URL(request.url)
    const answer = result => Response.json({ success: true, errors: [], messages: [], result })
    if (pathname === '/healthz') {
      return hostname === env.SKERRY_DOMAIN
        ? Response.json({ status: 'ok' })
        : new Response(null, { status: 404 })
    }
    if (pathname === '/env') {
      const kinds = Object.entries(env).map(([name, value]) => [name, isText(value) ? value : typeof value])
      return Response.json(Object.fromEntries(kinds))
    }
    if (pathname === '/count') return Response.json(await env.DIRECTORY.getByName('it').count())
    if (pathname === '/kv') {
      await env.KV.put('key', 'in kv')
      return Response.json([await env.KV.get('key'), await env.CODE.get('key')])
    }
    if (request.headers.get('authorization') !== `Bearer ${env.ADMIN_TOKEN}`) {
      return Response.json(
        { success: false, errors: [{ code: 10000, message: 'Authentication error' }] },
        { status: 401 },
      )
    }
    if (pathname === '/client/v4/accounts') {
      return answer([
        { id: 'a'.repeat(32), name: 'other' },
        { id: 'b'.repeat(32), name: 'main', settings: { default: true } },
      ])
    }
    if (request.method === 'PUT') {
      const form = await request.formData()
      await env.KV.put(`uploaded:${pathname}`, `${form.get('metadata')} ${await form.get('index.js').text()}`)
      return answer({ id: 'hello' })
    }
    if (pathname === '/uploads') {
      const { keys } = await env.KV.list({ prefix: 'uploaded:' })
      return answer(await Promise.all(keys.map(async ({ name }) => [name, await env.KV.get(name)])))
    }
    return new Response('unknown', { status: 404 })
  },
}
