import { R2Failure } from '../../bindings/r2/failures.ts'
import { Bucket as RealBucket } from '../../bindings/r2/object.ts'
import * as service from '../../bindings/r2/service.ts'
import type { EdgeEnv } from '../../src/env.ts'

const MIB = 1024 * 1024

/** The bucket's object, whose clock a test can set forward. */
export class Bucket extends RealBucket {
  /** As if so much time had passed; then the alarm rings. */
  async age(ms: number): Promise<void> {
    const { sql } = this.ctx.storage
    sql.exec('UPDATE pending SET touched_ms = touched_ms - ?', ms)
    sql.exec('UPDATE garbage SET due_ms = due_ms - ?', ms)
    sql.exec('UPDATE uploads SET created_ms = created_ms - ?', ms)
    this.alarm()
  }

  /** How many rows each table has. */
  rows(): Record<string, number> {
    const tables = ['objects', 'pieces', 'uploads', 'parts', 'pending', 'garbage']
    const { sql } = this.ctx.storage
    const count = (table: string) => sql.exec<{ n: number }>(`SELECT count(*) AS n FROM ${table}`).one().n
    return Object.fromEntries(tables.map(table => [table, count(table)]))
  }
}

interface HostEnv extends EdgeEnv {
  readonly BUCKET: DurableObjectNamespace<Bucket>
}

/** A body of so many bytes; with `hangs`, it never ends. */
function bytes(length: number, hangs = false, isKnown = true): ReadableStream<Uint8Array> {
  const { readable, writable } = isKnown ? new FixedLengthStream(length) : new IdentityTransformStream()
  const pump = async () => {
    const writer = writable.getWriter()
    const given = hangs ? length - 1 : length
    for (let left = given; left > 0; left -= MIB)
      await writer.write(new Uint8Array(Math.min(MIB, left)).fill(7))
    if (!hangs) await writer.close()
  }
  pump().catch(() => {})
  return readable
}

type Json = Record<string, never>

/** Calls the service as the query says: `?do=<what>&account=&bucket=&key=`, with options as JSON in the body. */
export default {
  async fetch(request, env, ctx): Promise<Response> {
    const { searchParams } = new URL(request.url)
    const text = (name: string) => searchParams.get(name) ?? name
    const number = (name: string) => Number(searchParams.get(name))
    const place = [env as never, text('account'), text('bucket')] as const
    const [, account, bucket] = place
    const stub = env.BUCKET.get(env.BUCKET.idFromName(`${account}/${bucket}`))
    const key = text('key')
    const options = (request.method === 'POST' ? await request.json() : {}) as Json
    const run = async (): Promise<unknown> => {
      switch (searchParams.get('do')) {
        case 'put':
          return service.put(...place, key, new TextEncoder().encode(text('value')), options)
        case 'stream':
          return service.put(...place, key, bytes(number('length')), {}, number('length'))
        case 'unknown':
          return service.put(...place, key, bytes(number('length'), false, false), {})
        case 'short':
          return service.put(...place, key, bytes(number('length'), false, false), {}, number('length') + 1)
        case 'hang':
          ctx.waitUntil(service.put(...place, key, bytes(number('length'), true), {}, number('length')))
          return null
        case 'race':
          return Promise.allSettled(
            Array.from({ length: number('count') }, (_, i) => {
              const onlyIf = { etagDoesNotMatch: [{ type: 'wildcard' as const }] }
              return service.put(...place, key, new TextEncoder().encode(`writer ${i}`), { onlyIf })
            }),
          )
        case 'fill':
          for (const name of options as unknown as string[]) await service.put(...place, name, null)
          return null
        case 'get': {
          const { object, body } = await service.get(...place, key, options)
          const content = await new Response(body).text()
          return { size: object.size, text: content.length > 100 ? content.length : content }
        }
        case 'get while it is replaced': {
          const { body } = await service.get(...place, key)
          await service.put(...place, key, new TextEncoder().encode('newer'))
          await scheduler.wait(50)
          return (await new Response(body).arrayBuffer()).byteLength
        }
        case 'head':
          return service.head(...place, key)
        case 'delete':
          return service.deleteObjects(...place, [key])
        case 'list':
          return service.list(...place, options)
        case 'upload': {
          const id = await service.createMultipart(...place, key)
          const parts = []
          for (const [i, length] of (options as unknown as number[]).entries()) {
            parts.push(await service.uploadPart(...place, key, id, i + 1, bytes(length), length))
          }
          return { id, parts }
        }
        case 'complete':
          return service.complete(...place, key, text('upload'), options as unknown as [])
        case 'abort':
          return service.abort(...place, key, text('upload'))
        case 'stats':
          return service.stats(...place)
        case 'close':
          return service.closeIfEmpty(...place)
        case 'age':
          return stub.age(number('ms'))
        default:
          return stub.rows()
      }
    }
    try {
      return Response.json((await run()) ?? null)
    } catch (error) {
      const reason = error instanceof R2Failure ? error.reason : String(error)
      return Response.json({ reason }, { status: 400 })
    }
  },
} satisfies ExportedHandler<HostEnv>
