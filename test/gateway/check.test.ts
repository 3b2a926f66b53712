import * as v from 'valibot'
import { describe, expect, test } from 'vitest'
import { checkDocument, hostsOf, scriptsOf, secretsOf } from '../../routes/gateway/check.ts'
import { describePath } from '../../routes/gateway/source.ts'
import { definePolicy, type PolicyKind } from '../../routes/policies/policy.ts'
import { SkerryError } from '../../src/core/errors.ts'

const jwt = definePolicy({
  type: 'jwt',
  summary: 'Tokens.',
  options: v.strictObject({
    issuer: v.string(),
    algorithm: v.optional(v.picklist(['RS256', 'ES256'])),
    secret: v.optional(v.pipe(v.string(), v.minLength(16))),
    leeway: v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(60))),
  }),
  create: ({ secret }) => {
    if (secret?.startsWith('unfit')) throw new SkerryError('ERR_GATEWAY_FILE', `The key ${secret} is no key.`)
    return {}
  },
})
const anyOf = definePolicy({
  type: 'any-of',
  summary: 'One of several.',
  options: v.strictObject({ policies: v.array(v.string()) }),
  create: ({ policies }, context) => {
    for (const name of policies) context.policy(name)
    return {}
  },
})
const kinds: ReadonlyMap<string, PolicyKind<unknown>> = new Map(
  [jwt, anyOf].map(kind => [kind.type, kind as PolicyKind<unknown>]),
)

const route = (more: object = {}) => ({ match: 'a.example/*', script: 'shop', ...more })

function issuesOf(value: unknown, secrets?: Record<string, string>): string[] {
  const answer = checkDocument(value, { kinds, ...(secrets && { secrets }) })
  return 'issues' in answer
    ? answer.issues.map(({ path, message }) => `${describePath(path)}: ${message}`)
    : []
}

function warningsOf(value: unknown): string[] {
  return checkDocument(value, { kinds }).warnings.map(
    ({ path, message }) => `${describePath(path)}: ${message}`,
  )
}

function documentOf(value: unknown) {
  const answer = checkDocument(value, { kinds })
  if ('issues' in answer) throw new Error(JSON.stringify(answer.issues))
  return answer.document
}

describe('checkDocument()', () => {
  test('puts defaults in their place, and leaves the options of policies as written', () => {
    const document = documentOf({
      routes: [route({ use: ['customers'] })],
      policies: { customers: { type: 'jwt', issuer: 'https://id.example' } },
    })
    expect(document).toMatchObject({
      script_hosts: 'unrouted',
      paths: { case: 'sensitive' },
      routes: [{ name: 'a.example-any', use: ['customers'], priority: 0, request_id: false }],
      policies: { customers: { type: 'jwt', issuer: 'https://id.example' } },
    })
  })

  test.each<[what: string, value: unknown, issue: string]>([
    ['text for a file', 'x', ': It must be a table, not "x".'],
    ['an unknown field', { rotues: [] }, 'rotues: "rotues" is not known here; did you mean "routes"?'],
    [
      'a route without target',
      { routes: [{ match: '/' }] },
      'routes[0]: The route has no target: give it one of script, upstream, redirect or respond.',
    ],
    [
      'two targets',
      { routes: [route({ respond: {} })] },
      'routes[0].respond: The route has 2 targets, script and respond: leave all but one out.',
    ],
    [
      'a version of nothing',
      { routes: [{ match: '/', redirect: '/b', version: 'x' }] },
      'routes[0].version: "version" needs "script": it names a version of that function.',
    ],
    [
      'servers that nobody is sent to',
      { routes: [{ match: '/', upstream: { servers: [{ url: 'http://a', weight: 0 }] } }] },
      'routes[0].upstream.servers: One server at least must have a weight above 0.',
    ],
    [
      'an unknown policy',
      { routes: [route({ use: ['custmers'] })], policies: { customers: { type: 'jwt', issuer: 'x' } } },
      'routes[0].use[0]: There is no policy "custmers"; did you mean "customers"?',
    ],
    [
      'a policy twice',
      { routes: [route({ use: ['a', 'a'] })], policies: { a: { type: 'jwt', issuer: 'x' } } },
      'routes[0].use[1]: The policy "a" is in this list already; it would run twice.',
    ],
    [
      'an unknown type',
      { policies: { a: { type: 'jtw' } } },
      'policies.a.type: There is no type of policy "jtw"; did you mean "jwt"? There are: any-of, jwt.',
    ],
    ['a policy without type', { policies: { a: {} } }, 'policies.a.type: "type" is missing.'],
    ['a missing option', { policies: { a: { type: 'jwt' } } }, 'policies.a.issuer: "issuer" is missing.'],
    [
      'an unknown option',
      { policies: { a: { type: 'jwt', issuer: 'x', isuer: 'y' } } },
      'policies.a.isuer: "isuer" is not known here; did you mean "issuer"?',
    ],
    [
      'an option out of bounds',
      { policies: { a: { type: 'jwt', issuer: 'x', leeway: 61 } } },
      'policies.a.leeway: It must be at most 60, not 61.',
    ],
    [
      'an option that is none of several',
      { policies: { a: { type: 'jwt', issuer: 'x', algorithm: 'RS265' } } },
      'policies.a.algorithm: It must be "RS256" or "ES256", not "RS265"; did you mean "RS256"?',
    ],
    [
      'a placeholder that matches nothing',
      { routes: [route({ match: '/a/:id', rewrite: '/b/:ident' })] },
      'routes[0].rewrite: ":ident" is not in the match "/a/:id".',
    ],
    [
      'a rest that matches nothing',
      { routes: [route({ match: '/a', rewrite: '/b/*' })] },
      'routes[0].rewrite: "*" is not in the match "/a".',
    ],
    [
      'a placeholder that one of several lacks',
      { routes: [route({ match: ['/a/:id', '/c'], rewrite: '/b/:id' })] },
      'routes[0].rewrite: ":id" is not in the match "/c".',
    ],
    [
      'two routes of one name',
      { routes: [route({ name: 'a' }), route({ name: 'a', methods: ['GET'] })] },
      'routes[1].name: The name "a" is that of routes[0] already; names must differ.',
    ],
    [
      'a route that another hides',
      { routes: [route({ match: '/u/:id' }), route({ match: '/u/:name' })] },
      'routes[1].match: routes[0] matches exactly the same already: never would a request come here.',
    ],
    [
      'the same match twice',
      { routes: [route({ match: ['/a', '/a'] })] },
      'routes[0].match[1]: This route matches exactly the same already: never would a request come here.',
    ],
    [
      'a match that is none',
      { routes: [route({ match: 'a.example' })] },
      'routes[0].match: The match "a.example" is invalid: it has no path; write "a.example/*" for all of them.',
    ],
    [
      'an optional part that another takes',
      { routes: [route({ match: '/a/:id?' }), route({ match: '/a' })] },
      'routes[1].match: routes[0] matches exactly the same already: never would a request come here.',
    ],
    [
      'a redirect to what is not matched',
      { routes: [{ match: '/a/:id', redirect: 'https://b.example:8080/:di' }] },
      'routes[0].redirect: ":di" is not in the match "/a/:id".',
    ],
    [
      'a method that is none',
      { routes: [route({ methods: ['GET '] })] },
      'routes[0].methods[0]: "GET " is not a method.',
    ],
    [
      'a header that is none',
      { routes: [route({ headers: { 'a b': 'x' } })] },
      'routes[0].headers["a b"]: "a b" can\'t be a header\'s name.',
    ],
    [
      'a header with a line break',
      { routes: [{ match: '/', respond: { headers: { a: 'x\r\ny' } } }] },
      'routes[0].respond.headers.a: "a" can\'t be a header with this value: no line breaks or control characters.',
    ],
    [
      'a special key',
      { policies: { constructor: { type: 'jwt', issuer: 'x' } } },
      'policies.constructor: "constructor" can\'t be used as a name.',
    ],
    [
      'a number without end',
      { policies: { a: { type: 'jwt', issuer: 'x', leeway: Number.NEGATIVE_INFINITY } } },
      'policies.a.leeway: It must be a finite number, not -Infinity.',
    ],
    [
      'a secret for callers to see',
      { routes: [{ match: '/', script: 'secret:A' }] },
      'routes[0].script: The secret "A" can\'t be used here: only in policies and in "identity_headers".',
    ],
    [
      'a policy made of itself',
      { policies: { a: { type: 'any-of', policies: ['a'] } } },
      'policies.a.policies[0]: The policy "a" is made of itself.',
    ],
    [
      'a policy made of none',
      { policies: { both: { type: 'any-of', policies: ['bth'] } } },
      'policies.both.policies[0]: There is no policy "bth"; did you mean "both"?',
    ],
  ])('refuses %s', (_what, value, issue) => {
    expect(issuesOf(value)).toContain(issue)
  })

  test('refuses policies that are made of each other, and says it once', () => {
    const policies = {
      a: { type: 'any-of', policies: ['b'] },
      b: { type: 'any-of', policies: ['c'] },
      c: { type: 'any-of', policies: ['a'] },
    }
    expect(issuesOf({ policies })).toEqual([
      'policies.c.policies[0]: The policies "c" and "a" are made of each other.',
    ])
  })

  test.each<[what: string, value: unknown]>([
    ['an empty file', {}],
    ['routes that differ in method', { routes: [route(), route({ methods: ['GET'] })] }],
    ['routes that differ in a header', { routes: [route(), route({ headers: { a: '1' } })] }],
    ['routes that differ in a query parameter', { routes: [route(), route({ query: { a: true } })] }],
    ['a rewrite of what is matched', { routes: [route({ match: '/a/:id/*', rewrite: '/b/:id/*' })] }],
    [
      'an exception of higher priority',
      { routes: [route({ match: '/a/:id?' }), route({ match: '/a', priority: 1 })] },
    ],
    ['trusted proxies', { trusted_proxies: ['10.0.0.0/8', 'fd00::/8'] }],
  ])('takes %s', (_what, value) => {
    expect(issuesOf(value)).toEqual([])
  })

  test('finds everything at once, whatever kind of thing it is', () => {
    const found = issuesOf({
      script_hosts: 'som',
      routes: [{ match: '/' }, { match: 5, script: 'x' }, route({ use: ['nobody'] })],
      policies: { a: { type: 'jwt' }, b: { type: 'what' } },
    })
    expect(found.map(text => text.slice(0, text.indexOf(':')))).toEqual([
      'script_hosts',
      'routes[1].match',
      'routes[0]',
      'routes[2].use[0]',
      'policies.a.issuer',
      'policies.b.type',
    ])
  })

  test('warns of policies that nothing uses, but not of those that others are made of', () => {
    const policies = {
      a: { type: 'jwt', issuer: 'x' },
      b: { type: 'jwt', issuer: 'x' },
      c: { type: 'any-of', policies: ['a'] },
    }
    expect(warningsOf({ policies, routes: [route({ use: ['c'] })] })).toEqual([
      'policies.b: No route uses the policy "b".',
    ])
  })

  test.each([
    [
      'a method that nobody has',
      { routes: [route({ methods: ['PSOT'] })] },
      'routes[0].methods[0]: "PSOT" is no usual method; did you mean "POST"?',
    ],
    [
      'a secret in the open',
      { routes: [route({ identity_headers: { secret: 'abc' } })] },
      'routes[0].identity_headers.secret: The text of a secret stands in the file: use "secret:NAME", and `skerry gateway secret put NAME`.',
    ],
  ])('warns of %s', (_what, value, warning) => {
    expect(issuesOf(value)).toEqual([])
    expect(warningsOf(value)).toEqual([warning])
  })
})

describe('checkDocument() with secrets', () => {
  const value = {
    routes: [route({ identity_headers: { secret: 'secret:SIGNER' } })],
    policies: { a: { type: 'jwt', issuer: 'x', secret: 'secret:KEY' } },
  }

  test('says where each secret that is missing is named', () => {
    expect(issuesOf(value, {})).toEqual([
      'policies.a.secret: There is no secret "KEY": set it with `skerry gateway secret put KEY` first.',
      'routes[0].identity_headers.secret: There is no secret "SIGNER": set it with `skerry gateway secret put SIGNER` first.',
    ])
  })

  test('holds the text to the options of the policy, and never shows it', () => {
    const secrets = { SIGNER: 'signing text', KEY: 'too-short' }
    expect(issuesOf(value, { ...secrets, KEY: 'x'.repeat(16) })).toEqual([])
    expect(issuesOf(value, secrets)).toEqual([
      'policies.a.secret: The secret "KEY" doesn\'t do here: It must have at least 16 characters, not 9.',
    ])
    const unfit = issuesOf(value, { ...secrets, KEY: `unfit ${'k'.repeat(100)}` })
    expect(unfit).toEqual(['policies.a: The key … is no key.'])
    const policies = { a: { type: 'jwt', issuer: 'x', algorithm: 'secret:KEY' } }
    const [wrongPlace] = issuesOf({ policies }, { KEY: 'short' })
    expect(wrongPlace).toBe(
      'policies.a.algorithm: The secret "KEY" doesn\'t do here: It must be "RS256" or "ES256", not its text.',
    )
  })

  test('with their names alone, finds which are missing, and looks at no text', () => {
    const check = checkDocument(value, { kinds, secretNames: new Set(['KEY']) })
    expect('issues' in check ? check.issues.map(({ path }) => describePath(path)) : []).toEqual([
      'routes[0].identity_headers.secret',
    ])
  })

  test('without them, what depends on them is not checked, and everything else is', () => {
    expect(issuesOf(value)).toEqual([])
    const policies = { a: { type: 'jwt', secret: 'secret:KEY' } }
    expect(issuesOf({ policies })).toEqual(['policies.a.issuer: "issuer" is missing.'])
  })
})

describe('names of routes', () => {
  const named = (...routes: object[]) => documentOf({ routes }).routes.map(({ name }) => name)

  test('are made of match and methods', () => {
    expect(
      named(
        route({ name: 'mine' }),
        route({ match: 'api.example.com/orders/:id', methods: ['GET', 'post'] }),
        route({ match: '/' }),
        route({ match: ['*.example.com/*', '/b'] }),
      ),
    ).toEqual(['mine', 'api.example.com-orders-id.get-post', 'root', 'any.example.com-any'])
  })

  test('stay the same when routes come, go and move', () => {
    const conditional = route({ headers: { a: '1' } })
    const other = route({ headers: { a: '2' } })
    const [first, second] = named(conditional, other)
    expect(first).toMatch(/^a\.example-any-[0-9a-f]{8}$/)
    expect(first).not.toBe(second)
    expect(named(other, route({ match: '/new' }), conditional)).toEqual([second, 'new', first])
  })

  test('differ from written ones, and keep to the length of names', () => {
    const long = `/${'long/'.repeat(40)}`
    const names = named(route({ match: '/a' }), route({ name: 'a', match: '/b' }), route({ match: long }))
    expect(new Set(names).size).toBe(3)
    expect(names.every(name => /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,62}$/.test(name ?? ''))).toBe(true)
  })
})

test('secretsOf(), hostsOf() and scriptsOf() tell what a document needs', () => {
  const document = documentOf({
    routes: [
      route({ match: ['A.example/*', '/x', '*.b.example/y'], identity_headers: { secret: 'secret:S' } }),
      route({ match: 'a.example/z' }),
    ],
    policies: { a: { type: 'jwt', issuer: 'x', secret: 'secret:KEY' } },
  })
  expect(secretsOf(document)).toEqual(['KEY', 'S'])
  expect(hostsOf(document)).toEqual(['a.example', '*.b.example'])
  expect([...scriptsOf(document)]).toEqual([['shop', ['routes', 0, 'script']]])
})
