import { describe, expect, test } from 'vitest'
import type { Identity } from '../../routes/policies/identity.ts'
import { createPhase } from '../../routes/policies/middleware.ts'
import { rbacPolicy } from '../../routes/policies/rbac.ts'
import { codeOf, makeExchange, makeTrace, runPolicy } from './support.ts'

const ANN: Identity = {
  type: 'jwt',
  policy: 'customers',
  subject: 'ann',
  scopes: ['orders:read', 'orders:write'],
  roles: ['editor'],
  claims: {
    team: 'blue',
    level: 3,
    verified: true,
    groups: ['a', 'b'],
    metadata: { plan: 'gold' },
    'https://example.com/unit': 'u1',
  },
}
const ANYBODY: Identity = {
  ...ANN,
  type: 'anonymous',
  subject: 'anonymous',
  scopes: [],
  roles: [],
  claims: {},
}

describe('rbac', () => {
  test.each<[rules: object[], method: string, status: number]>([
    [[{}], 'GET', 200],
    [[{ methods: ['GET'] }], 'GET', 200],
    [[{ methods: ['get'] }], 'HEAD', 200],
    [[{ methods: ['HEAD'] }], 'GET', 403],
    [[{ methods: ['GET'] }], 'DELETE', 403],
    [[{ scopes: ['orders:read', 'orders:write'] }], 'GET', 200],
    [[{ scopes: ['orders:read', 'admin'] }], 'GET', 403],
    [[{ roles: ['admin', 'editor'] }], 'GET', 200],
    [[{ roles: ['admin'] }], 'GET', 403],
    [[{ types: ['api-key', 'jwt'] }], 'GET', 200],
    [[{ types: ['api-key'] }], 'GET', 403],
    [[{ subjects: ['ann'] }], 'GET', 200],
    [[{ subjects: ['Ann'] }], 'GET', 403],
    [[{ claims: { team: 'blue' } }], 'GET', 200],
    [[{ claims: { team: ['red', 'blue'] } }], 'GET', 200],
    [[{ claims: { team: 'red' } }], 'GET', 403],
    [[{ claims: { level: 3, verified: true } }], 'GET', 200],
    [[{ claims: { level: '3' } }], 'GET', 403],
    [[{ claims: { verified: 'true' } }], 'GET', 403],
    [[{ claims: { groups: 'b' } }], 'GET', 200],
    [[{ claims: { groups: ['c', 'd'] } }], 'GET', 403],
    [[{ claims: { 'metadata.plan': 'gold' } }], 'GET', 200],
    [[{ claims: { 'claims.metadata.plan': 'gold' } }], 'GET', 200],
    [[{ claims: { 'https://example.com/unit': 'u1' } }], 'GET', 200],
    [[{ claims: { toString: 'x' } }], 'GET', 403],
    [[{ claims: { absent: false } }], 'GET', 403],
    [[{ roles: ['editor'], claims: { team: 'red' } }], 'GET', 403],
    [[{ roles: ['admin'] }, { methods: ['GET'], scopes: ['orders:read'] }], 'GET', 200],
    [[{ roles: ['admin'] }, { methods: ['GET'], scopes: ['orders:read'] }], 'POST', 403],
    [[{ anonymous: true, methods: ['GET'] }], 'GET', 200],
  ])('with rules %j answers %s of Ann with %i', async (rules, method, status) => {
    const exchange = makeExchange(new Request('https://a.example/', { method }))
    exchange.identity = ANN
    const answer = await runPolicy(createPhase(rbacPolicy, { rules }), exchange)
    expect(answer.status).toBe(status)
    if (status === 403) expect(await codeOf(answer)).toBe('ERR_ACCESS_REFUSED')
  })

  test.each<[identity: Identity | undefined, rules: object[], status: number]>([
    [undefined, [{}], 401],
    [ANYBODY, [{}], 401],
    [ANYBODY, [{ subjects: ['anonymous'] }], 401],
    [ANYBODY, [{ types: ['anonymous'] }], 401],
    [undefined, [{ anonymous: true }], 200],
    [ANYBODY, [{ anonymous: true }], 200],
    [ANYBODY, [{ anonymous: true, methods: ['POST'] }, { roles: ['admin'] }], 401],
  ])('answers the identity %j with rules %j with %i', async (identity, rules, status) => {
    const exchange = makeExchange(new Request('https://a.example/'))
    exchange.identity = identity
    const answer = await runPolicy(createPhase(rbacPolicy, { rules }), exchange)
    expect(answer.status).toBe(status)
    if (status !== 401) return
    expect(await codeOf(answer)).toBe('ERR_CREDENTIALS_MISSING')
    expect(answer.headers.get('www-authenticate')).toBe('Bearer')
  })

  test('notes which rule allows it, or what each lacks; the caller is not told', async () => {
    const trace = makeTrace()
    const rules = [
      { methods: ['POST'] },
      { types: ['mtls'] },
      { subjects: ['ben'] },
      { scopes: ['admin'] },
      { roles: ['admin'] },
      { claims: { team: 'red' } },
    ]
    const ask = async (more: object[], method = 'GET') => {
      const exchange = makeExchange(new Request('https://a.example/', { method }), { trace })
      exchange.identity = ANN
      return (await runPolicy(createPhase(rbacPolicy, { rules: [...rules, ...more] }), exchange)).json()
    }
    const problem = (await ask([])) as { detail: string }
    expect(problem.detail).toBe('You may not do this: no rule allows GET to you here.')
    await runAllowed()
    expect(trace.findings).toEqual([
      'No rule allows it. {"method":"GET","rules":["rule 2: the type is jwt","rule 3: the subject is ann","rule 4: the scope admin is missing","rule 5: none of its roles is there","rule 6: the claim team is another"]}',
      'A rule allows it. {"rule":7,"method":"GET"}',
    ])

    async function runAllowed() {
      const exchange = makeExchange(new Request('https://a.example/'), { trace })
      exchange.identity = ANN
      await runPolicy(createPhase(rbacPolicy, { rules: [...rules, { roles: ['editor'] }] }), exchange)
    }
  })

  test.each<[options: unknown, message: string]>([
    [{}, '"rules" is missing'],
    [{ rules: [] }, 'There must be a rule'],
    [{ rules: [{ methods: [] }] }, 'The list must not be empty.'],
    [{ rules: [{ anonymous: true, roles: ['a'] }] }, 'can ask for nothing else'],
    [{ rules: [{ anonymous: true, claims: { a: 1 } }] }, 'can ask for nothing else'],
    [{ rules: [{ role: ['a'] }] }, '"role" is not known here'],
    [{ rules: [{ claims: { a: [] } }] }, 'The list must not be empty.'],
  ])('refuses the options %j', (options, message) => {
    expect(() => createPhase(rbacPolicy, options)).toThrow(message)
  })
})
