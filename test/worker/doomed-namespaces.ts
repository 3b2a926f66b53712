import { WorkerEntrypoint } from 'cloudflare:workers'
import type { Account } from '../../src/registry/account.ts'
import type { NewVersion } from '../../src/registry/new-version.ts'

export { Edge } from '../../src/edge.ts'
export { Account } from '../../src/registry/account.ts'
export { State } from '../../src/state.ts'

interface TestEnv {
  readonly ACCOUNT: DurableObjectNamespace<Account>
  /** `1`: no object can be deleted. */
  readonly AWAY: string
}

const asked: [accountId: string, namespaceId: string][] = []

export class Objects extends WorkerEntrypoint<TestEnv> {
  deleteNamespace(accountId: string, namespaceId: string): void {
    asked.push([accountId, namespaceId])
    if (this.env.AWAY === '1') throw new Error('Network connection lost.')
  }
}

const VERSION: NewVersion = {
  manifest: {
    format: 'modules',
    mainModule: 'index.js',
    modules: [],
    compatibilityDate: '2026-11-01',
    compatibilityFlags: [],
    exports: [{ name: 'Counter', kind: 'durable-object', handlers: [] }],
    reads: { cf: false, clientHeaders: false },
    startupTimeMs: 1,
  },
  bindings: [],
  keepTypes: [],
  annotations: {},
  source: 'api',
  author: { id: 'me', email: '' },
  deploy: true,
  objects: {
    kind: 'migrations',
    migrations: {
      newTag: 'v1',
      steps: [{ deleted: [], renamed: [], transferred: [], created: [], createdSqlite: ['Counter'] }],
    },
  },
}

/** `/add` deploys a script with a class, `/delete` deletes it; both answer with the namespaces. `/asked`: what was to be deleted. */
export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url)
    if (pathname === '/asked') return Response.json(asked)
    const account = env.ACCOUNT.getByName('a')
    await account.identify('a', 'localhost')
    if (pathname === '/add') await account.addVersion('script', VERSION)
    if (pathname === '/delete') await account.deleteScript('script')
    return Response.json(await account.listNamespaces())
  },
} satisfies ExportedHandler<TestEnv>
