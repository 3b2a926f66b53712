import { Limiter as Base } from '../../src/registry/limiter.ts'

export { Records } from '../../src/registry/records.ts'

export class Limiter extends Base {
  /** Ends the object, as workerd does when nobody has called it for ten seconds. */
  end(): void {
    this.ctx.abort('ended')
  }
}

/** Calls an object of the account `a`: `POST /Limiter/take` with its arguments as a JSON array. */
export default {
  async fetch(request, env) {
    const [, className = '', method = ''] = new URL(request.url).pathname.split('/')
    const stub = env[className as 'Limiter'].getByName('a') as unknown as Record<string, Method>
    try {
      const result = await stub[method]?.(...(await request.json<unknown[]>()))
      return Response.json({ result })
    } catch (error) {
      return Response.json({ error: String(error) })
    }
  },
} satisfies ExportedHandler<{ Limiter: DurableObjectNamespace; Records: DurableObjectNamespace }>

type Method = (...args: unknown[]) => Promise<unknown>
