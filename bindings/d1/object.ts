import { DurableObject } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'
import { toBookmark } from './bookmark.ts'
import { countTables, dumpStream, parseDumpOptions } from './dump.ts'
import { Imports } from './imports.ts'
import {
  BOOKMARK_HEADER,
  parseApiQueries,
  parseQueries,
  type Query,
  type RowFormat,
  toResult,
} from './protocol.ts'
import { runQueries } from './query.ts'
import { readStaged, stage } from './staging.ts'
import { findBookmark, restoreBookmark } from './time-travel.ts'
import { Turnstile } from './turnstile.ts'

/**
 * A D1 database: its SQLite is the user's, with nothing of ours in it. Or, under another name, a file that waits
 * to be imported (`staging.ts`).
 *
 * Only the platform's own requests reach it (`entrypoint.ts` lets a function's statements through, the control
 * plane sends the rest). Failures are `{ success: false, error }` with status 400.
 *
 * | request                                  | body               | answer                                        |
 * | ---------------------------------------- | ------------------ | --------------------------------------------- |
 * | `POST /query?format=`                    | `Query` or several | results, all in one transaction               |
 * | `POST /api?format=`                      | of Cloudflare's API | the same; a text may hold several statements |
 * | `GET /info`                              |                    | `{ file_size, num_tables }`                   |
 * | `POST /dump`, `POST /dump?check`         | `DumpOptions`      | SQL, streamed; whether it can be had          |
 * | `PUT /stage?md5=`                        | a file             | of a staging object                           |
 * | `GET /staged`                            |                    | of a staging object: that file                |
 * | `POST /import?staged=`, `GET /import?staged=` |               | `ImportState`, after at most 20 seconds       |
 * | `GET /bookmark?timestamp=`, `POST /restore?bookmark=&timestamp=` | | `TimeTravel`                             |
 * | `POST /erase`                            |                    | nothing is left, and nothing can come         |
 */
export class Database extends DurableObject<ObjectsEnv> {
  readonly #turnstile = new Turnstile()
  readonly #imports = new Imports(this.ctx, this.#turnstile)
  #isErased = this.ctx.storage.kv.get(ERASED) === true
  #calls = 0

  override async fetch(request: Request): Promise<Response> {
    const { pathname, searchParams } = new URL(request.url)
    try {
      if (this.#isErased && pathname !== '/erase') throw new Error('The database was deleted.')
      return await this.#answer(`${request.method} ${pathname}`, searchParams, request)
    } catch (error) {
      return Response.json({ success: false, error: messageOf(error) }, { status: 400 })
    }
  }

  async #answer(call: string, query: URLSearchParams, request: Request): Promise<Response> {
    const { storage } = this.ctx
    switch (call) {
      case 'POST /query':
        return this.#run(parseQueries(await request.json()), query, request)
      case 'POST /api':
        return this.#run(parseApiQueries(await request.json()), query, request)
      case 'GET /info':
        return Response.json({ file_size: storage.sql.databaseSize, num_tables: countTables(storage.sql) })
      case 'POST /dump': {
        const options = parseDumpOptions(await request.json())
        return dumpStream(storage.sql, options, this.#turnstile, query.has('check'))
      }
      case 'PUT /stage':
        return stage(storage, request, query.get('md5') ?? '')
      case 'GET /staged':
        return readStaged(storage)
      case 'POST /import':
        return Response.json(await this.#imports.begin(this.#staged(query)))
      case 'GET /import':
        return Response.json(await this.#imports.wait(query.get('staged') ?? ''))
      case 'GET /bookmark':
        return Response.json(await findBookmark(storage, query.get('timestamp')))
      case 'POST /restore':
        return Response.json(await restoreBookmark(this.ctx, query.get('bookmark'), query.get('timestamp')))
      case 'POST /erase':
        await this.#erase()
        return Response.json({ success: true })
      default:
        throw new Error(`A database knows no ${call}.`)
    }
  }

  async #run(queries: readonly Query[], query: URLSearchParams, request: Request): Promise<Response> {
    const format: RowFormat = query.get('format') === 'arrays' ? 'arrays' : 'objects'
    await this.#turnstile.free()
    const answers = runQueries(this.ctx.storage, queries)
    const isSession = (request.headers.get(BOOKMARK_HEADER) ?? '').trim() !== ''
    return Response.json(
      answers.map(answer => toResult(answer, format)),
      isSession ? { headers: { [BOOKMARK_HEADER]: toBookmark(Date.now(), ++this.#calls) } } : {},
    )
  }

  #staged(query: URLSearchParams): { name: string; open: () => Promise<Response> } {
    const name = query.get('staged') ?? ''
    const staging = this.env.DATABASE.get(this.env.DATABASE.idFromName(name))
    return { name, open: () => staging.fetch('http://d1/staged') }
  }

  /** A staging object removes itself. */
  override async alarm(): Promise<void> {
    await this.ctx.storage.deleteAll()
  }

  async #erase(): Promise<void> {
    const { storage } = this.ctx
    await this.#turnstile.pass(async () => {
      this.#isErased = true
      await storage.deleteAll()
      // A version that is still bound would else begin a new database that nobody sees.
      storage.kv.put(ERASED, true)
      await storage.sync()
    })
  }
}

/** The one key that an erased database has. */
const ERASED = 'erased'

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
