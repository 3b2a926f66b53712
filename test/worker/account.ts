import type { Account } from '../../src/registry/account.ts'

export { Edge } from '../../src/edge.ts'
export { Account } from '../../src/registry/account.ts'
export { State } from '../../src/state.ts'

/** Reads the account, strikes its script three times, and reads it again. */
export default {
  async fetch(_request, env) {
    const account = env.ACCOUNT.getByName('a')
    const before = await account.changes(0)
    const atMs = Date.now()
    for (const id of ['1', '2', '3'])
      await account.addStrike('old', { id, digest: 'c0ffee.1', kind: 'cpu', atMs, detail: '' })
    return Response.json({ before, after: await account.changes(before.to) })
  },
} satisfies ExportedHandler<{ ACCOUNT: DurableObjectNamespace<Account> }>
