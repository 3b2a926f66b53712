import * as v from 'valibot'
import { challengeOf } from './challenge.ts'
import type { Exchange } from './exchange.ts'
import { type Identity, readIdentity } from './identity.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'

const text = v.pipe(
  v.string(),
  v.minLength(1, 'It must not be empty.'),
  v.maxLength(256, 'It must have at most 256 characters.'),
)
const list = v.pipe(
  v.array(text),
  v.minLength(1, 'The list must not be empty.'),
  v.maxLength(1000, 'At most 1,000 entries.'),
)
const claimValue = v.union([text, v.number(), v.boolean()])
const claimValues = v.pipe(v.array(claimValue), v.minLength(1, 'The list must not be empty.'))

const rule = v.strictObject({
  methods: v.pipe(
    v.optional(
      v.pipe(
        v.array(v.pipe(v.string(), v.toUpperCase(), v.regex(/^[A-Z-]{1,32}$/, 'It must be a method.'))),
        v.minLength(1, 'The list must not be empty.'),
      ),
    ),
    v.description('Methods that it is about, HEAD with GET; without it every method.'),
  ),
  types: v.pipe(
    v.optional(list),
    v.description('How the caller must have authenticated, one of them: `jwt`, `api-key`, …'),
  ),
  subjects: v.pipe(
    v.optional(list),
    v.description('Who may: the `sub` of a token, the id of a key, a user.'),
  ),
  scopes: v.pipe(v.optional(list), v.description('Scopes that are needed, all of them.')),
  roles: v.pipe(v.optional(list), v.description('Roles, one of which is needed.')),
  claims: v.pipe(
    v.optional(v.record(text, v.union([claimValue, claimValues])), {}),
    v.description(
      'What claims must be, all of them: by name or path (`metadata.team`), a value or several of which it must be one. Of a claim that is a list, one entry must fit.',
    ),
  ),
  anonymous: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Callers without identity may too; then it can ask for nothing else.'),
  ),
})

const options = v.strictObject({
  rules: v.pipe(
    v.array(
      v.pipe(
        rule,
        v.check(
          ({ methods: _, anonymous, ...wanted }) =>
            !anonymous || Object.entries(wanted).every(([, each]) => isNothing(each)),
          'A rule with "anonymous" can ask for nothing else: callers without identity have none of it.',
        ),
      ),
    ),
    v.minLength(1, 'There must be a rule: without one nobody may do anything.'),
    v.maxLength(1000, 'At most 1,000 rules.'),
    v.description('Each allows something; what none allows is refused.'),
  ),
})

type RbacOptions = v.InferOutput<typeof options>
type Rule = RbacOptions['rules'][number]

/** Decides by roles, scopes and claims who may do what. */
export const rbacPolicy = definePolicy({
  type: 'rbac',
  summary:
    'Decides by roles, scopes and claims of the caller what he may do; what no rule allows is refused.',
  options,
  create: options => new RbacPhase(options),
})

class RbacPhase implements Phase {
  readonly #rules: readonly Rule[]

  constructor({ rules }: RbacOptions) {
    this.#rules = rules
  }

  request(exchange: Exchange): Verdict {
    const { method } = exchange.request
    const identity = exchange.identity?.type === 'anonymous' ? undefined : exchange.identity
    const lacking: string[] = []
    for (const [index, rule] of this.#rules.entries()) {
      if (!isAbout(rule, method)) continue
      const reason = reasonAgainst(rule, identity)
      if (reason === undefined) {
        exchange.trace?.note('A rule allows it.', { rule: index + 1, method })
        return undefined
      }
      if (exchange.trace) lacking.push(`rule ${index + 1}: ${reason}`)
    }
    return identity ? refuseLacking(exchange, lacking) : refuseUnknown(exchange)
  }
}

function refuseUnknown(exchange: Exchange): Response {
  exchange.trace?.note('No policy before this one has found out who calls, and no rule is for anybody.')
  return exchange.refuse('ERR_CREDENTIALS_MISSING', 'It must be known who calls.', {
    'www-authenticate': challengeOf(exchange),
  })
}

/** The caller isn't told what would do: that is the operator's to know, in the trace. */
function refuseLacking(exchange: Exchange, lacking: readonly string[]): Response {
  const { method } = exchange.request
  exchange.trace?.note(
    lacking.length > 0
      ? 'No rule allows it.'
      : 'No rule is about this method, and what none allows is refused.',
    { method, rules: lacking },
  )
  return exchange.refuse('ERR_ACCESS_REFUSED', `You may not do this: no rule allows ${method} to you here.`)
}

function isAbout({ methods }: Rule, method: string): boolean {
  if (methods === undefined || methods.includes(method)) return true
  return method === 'HEAD' && methods.includes('GET')
}

/** What an identity lacks, as words; `undefined` = nothing. */
function reasonAgainst(rule: Rule, identity: Identity | undefined): string | undefined {
  if (rule.anonymous) return undefined
  if (!identity) return 'it is not known who calls'
  const { types, subjects, scopes, roles, claims } = rule
  if (types && !types.includes(identity.type)) return `the type is ${identity.type}`
  if (subjects && !subjects.includes(identity.subject)) return `the subject is ${identity.subject}`
  const scope = scopes?.find(each => !identity.scopes.includes(each))
  if (scope !== undefined) return `the scope ${scope} is missing`
  if (roles && !roles.some(each => identity.roles.includes(each))) return `none of its roles is there`
  for (const [path, wanted] of Object.entries(claims)) {
    if (!fits(readIdentity(identity, path), wanted)) return `the claim ${path} is another`
  }
  return undefined
}

function fits(value: unknown, wanted: Rule['claims'][string]): boolean {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value]
  return values.some(each => (Array.isArray(wanted) ? wanted.some(one => one === each) : wanted === each))
}

function isNothing(wanted: unknown): boolean {
  return wanted === undefined || (typeof wanted === 'object' && Object.keys(wanted ?? {}).length === 0)
}
