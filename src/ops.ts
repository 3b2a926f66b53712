import { WorkerEntrypoint } from 'cloudflare:workers'
import { toSkerryError } from './core/errors.ts'
import { createRequestId } from './core/ids.ts'
import type { ProcessOrders, ProcessReport } from './core/processes.ts'
import type { StateEnv } from './env.ts'
import { putProcesses } from './observe/processes.ts'
import { recordStrike } from './registry/strike-report.ts'
import { respondProblem } from './respond.ts'

/** What the supervisor tells the state role, over a private socket: JSON in, JSON out. */
export class Ops extends WorkerEntrypoint<StateEnv> {
  override async fetch(request: Request): Promise<Response> {
    const { pathname } = new URL(request.url)
    switch (`${request.method} ${pathname}`) {
      case 'PUT /processes':
        return Response.json(putProcesses(await request.json<ProcessReport>()) satisfies ProcessOrders)
      case 'POST /strikes':
        return this.#recordStrike(await request.json().catch(() => undefined))
      default:
        return new Response('not found\n', { status: 404 })
    }
  }

  /** A report that can't be understood is refused: it would be sent again for ever. */
  async #recordStrike(report: unknown): Promise<Response> {
    try {
      return Response.json(await recordStrike(this.env, report))
    } catch (error) {
      const known = toSkerryError(error)
      if (!known) throw error
      return respondProblem(known, createRequestId())
    }
  }
}
