import { WorkerEntrypoint } from 'cloudflare:workers'
import { LIMITS } from '../../src/core/limits.ts'
import type { EdgeEnv } from '../../src/env.ts'
import { isAway, objectsRole } from '../../src/roles.ts'
import { BOOKMARK_HEADER, causeOf } from './protocol.ts'

/** Which database a function's binding is of. Set by the platform only. */
export interface D1Props {
  readonly accountId: string
  /** The id of the object that has the content. */
  readonly object: string
}

/**
 * A D1 binding: what the runtime's client class sends its HTTP requests to. Of a request only what the protocol
 * knows gets through: the statements, the form of the rows, and a session's bookmark.
 */
export class D1Entrypoint extends WorkerEntrypoint<EdgeEnv, D1Props> {
  override async fetch(request: Request): Promise<Response> {
    const { accountId, object } = this.ctx.props
    // Without props it is the one behind the client class's own binding, which nobody has.
    if (!accountId || !object) return toFailure('The binding names no database.')
    const { pathname, searchParams } = new URL(request.url)
    if (request.method !== 'POST' || (pathname !== '/query' && pathname !== '/execute')) {
      return Response.json({ error: 'Not found' }, { status: 404 })
    }
    const length = Number(request.headers.get('content-length') ?? Number.NaN)
    if (!(length <= LIMITS.d1RequestBytes)) return toFailure(tooLong(length))
    const format = searchParams.get('resultsFormat') === 'ROWS_AND_COLUMNS' ? 'arrays' : 'objects'
    const bookmark = request.headers.get(BOOKMARK_HEADER)
    try {
      return await objectsRole(this.env, this.ctx.exports).database(
        `${accountId}/${object}`,
        new Request(`http://d1/query?format=${format}`, {
          method: 'POST',
          body: request.body,
          headers: { 'content-length': String(length), ...(bookmark && { [BOOKMARK_HEADER]: bookmark }) },
        }),
      )
    } catch (error) {
      // What was done before the process went nobody knows: so nothing is repeated, as on Cloudflare.
      return toFailure(isAway(error) ? 'Network connection lost.' : causeOf(error))
    }
  }
}

function toFailure(error: string): Response {
  return Response.json({ success: false, error })
}

function tooLong(bytes: number): string {
  return `The statements and their parameters have ${bytes} bytes as JSON; at most ${LIMITS.d1RequestBytes} are allowed in one call. Split the batch.`
}
