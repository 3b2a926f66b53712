import { respond } from '../bindings/assets/respond.ts'
import { routeToFiles } from '../bindings/assets/route.ts'
import { readSite, type Site } from '../bindings/assets/site.ts'
import type { EdgeEnv } from './env.ts'

/**
 * Answers a request to a version that has static files, unless the Worker is to answer: then `undefined`.
 *
 * From this process's memory, at once, where the file was asked for before; no isolate of a user's is called.
 *
 * @param digest of the version's document
 * @param mayCode the answer goes to a client as it is, so its body may be coded
 * @throws ERR_STATE_UNAVAILABLE, ERR_INTERNAL
 */
export function serveAssets(
  request: Request,
  digest: string,
  env: EdgeEnv,
  mayCode: boolean,
): Response | undefined | Promise<Response | undefined> {
  const site = readSite(env.CODE, digest)
  if (site instanceof Promise) return site.then(site => answer(site, request, env, mayCode))
  return answer(site, request, env, mayCode)
}

function answer(
  site: Site,
  request: Request,
  { CODE: code }: EdgeEnv,
  mayCode: boolean,
): Response | undefined | Promise<Response> {
  const plan = routeToFiles(site, request)
  return plan && respond(plan, request, { code, mayCode })
}

/**
 * The worker of a version that has static files, as service bindings reach it: `fetch()` of its default entrypoint is
 * answered as from outside, everything else is the code's own.
 *
 * @param load its isolate; called only when it is needed
 */
export function withAssets(digest: string, env: EdgeEnv, load: () => WorkerStub): WorkerStub {
  const code = () => load() as unknown as Stub
  const stub: Stub = {
    getEntrypoint(name, options) {
      const target = () => code().getEntrypoint(name, options)
      return name === undefined ? withFiles(digest, env, target) : target()
    },
    getDurableObjectClass: (name, options) => code().getDurableObjectClass(name, options),
  }
  return stub as unknown as WorkerStub
}

/** A WorkerStub without the types of every class there is: those are too deep for the compiler. */
interface Stub {
  getEntrypoint(name?: string, options?: WorkerStubEntrypointOptions): Fetcher
  getDurableObjectClass(name?: string, options?: WorkerStubEntrypointOptions): unknown
}

function withFiles(digest: string, env: EdgeEnv, target: () => Fetcher): Fetcher {
  return new Proxy({} as Fetcher, {
    get(_, property) {
      if (property !== 'fetch') return Reflect.get(target(), property)
      return async (request: Request) =>
        (await serveAssets(request, digest, env, false)) ?? target().fetch(request)
    },
  })
}
