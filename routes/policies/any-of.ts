import * as v from 'valibot'
import { SkerryError } from '../../src/core/errors.ts'
import { keepChallenge } from './challenge.ts'
import type { Exchange } from './exchange.ts'
import type { Identity } from './identity.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'

const options = v.strictObject({
  policies: v.pipe(
    v.array(v.pipe(v.string(), v.minLength(1, 'It must be the name of a policy.'))),
    v.minLength(1, 'There must be a policy.'),
    v.maxLength(16, 'At most 16 policies.'),
    v.check(names => new Set(names).size === names.length, 'A policy is there twice.'),
    v.description('Names of policies of this file, in the order in which they are asked.'),
  ),
  anonymous: v.pipe(
    v.optional(v.boolean(), false),
    v.description('Callers who present nothing pass as nobody in particular; wrong credentials never do.'),
  ),
})

/** Lets those pass whom one of several policies lets pass. */
export const anyOfPolicy = definePolicy({
  type: 'any-of',
  summary:
    'Lets callers pass whom one of several policies lets pass, for APIs with several ways to authenticate.',
  options,
  create({ policies, anonymous }, { name, policy }) {
    const children = policies.map(child => ({ name: child, phase: checkChild(child, policy(child)) }))
    return new AnyOfPhase(name, children, anonymous)
  },
})

interface Child {
  readonly name: string
  readonly phase: Phase & Required<Pick<Phase, 'request'>>
}

interface Refusal {
  readonly child: Child
  readonly answer: Response
  /** The caller has presented what the policy looks at, and it was wrong. */
  readonly isWrong: boolean
}

/** What has come of an exchange so far. */
interface Attempt {
  readonly exchange: Exchange
  readonly identity: Identity | undefined
  readonly refusals: Refusal[]
  /** Those for which nothing was presented. */
  readonly rest: readonly Child[]
}

class AnyOfPhase implements Phase {
  readonly #name: string
  readonly #children: readonly Child[]
  readonly #anonymous: boolean

  constructor(name: string, children: readonly Child[], anonymous: boolean) {
    this.#name = name
    this.#children = children
    this.#anonymous = anonymous
  }

  isPresented(exchange: Exchange): boolean {
    return this.#children.filter(({ phase }) => phase.isPresented?.(exchange)).length > 0
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const asked: Child[] = []
    const rest: Child[] = []
    // All are asked: some take out headers that the caller has made up.
    for (const child of this.#children) {
      const isPresented = child.phase.isPresented?.(exchange) ?? true
      ;(isPresented ? asked : rest).push(child)
    }
    return this.#ask({ exchange, identity: exchange.identity, refusals: [], rest }, asked, 0)
  }

  /** Asks one after the other until one lets the caller pass. */
  #ask(attempt: Attempt, children: readonly Child[], from: number): Verdict | Promise<Verdict> {
    for (let i = from; i < children.length; i++) {
      const child = children[i] as Child
      const verdict = ask(child, attempt.exchange)
      if (verdict instanceof Promise) {
        return verdict.then(answer =>
          this.#isAccepted(attempt, child, answer) ? undefined : this.#ask(attempt, children, i + 1),
        )
      }
      if (this.#isAccepted(attempt, child, verdict)) return undefined
      // Whoever would send the caller to log in has begun something: no other may begin more.
      if (children === attempt.rest && verdict && verdict.status < 400) return verdict
    }
    return children === attempt.rest ? refuseMissing(attempt) : this.#conclude(attempt)
  }

  #isAccepted({ exchange, identity, refusals, rest }: Attempt, child: Child, answer: Verdict): boolean {
    if (answer === undefined) {
      exchange.trace?.note('One of the policies lets the caller pass.', { policy: child.name })
      return true
    }
    exchange.identity = identity
    const canTell = child.phase.isPresented !== undefined
    // One that can't be asked or is broken must not let anybody become anonymous.
    const isWrong = (canTell && !rest.includes(child)) || answer.status >= 500
    refusals.push({ child, answer, isWrong })
    exchange.trace?.note('A policy refuses the caller.', { policy: child.name, status: answer.status })
    return false
  }

  /** When none of those lets him pass for whom something was presented. */
  #conclude(attempt: Attempt): Verdict | Promise<Verdict> {
    const { exchange, refusals, rest } = attempt
    const wrong = refusals.filter(({ isWrong }) => isWrong)
    if (wrong.length > 0) return refuseWrong(exchange, wrong)
    if (!this.#anonymous) return this.#ask(attempt, rest, 0)
    exchange.identity ??= { ...NOBODY, policy: this.#name }
    keepChallenge(exchange, () => challengesOf(exchange, rest))
    exchange.trace?.note('The caller presented nothing, and passes as nobody in particular.')
    return undefined
  }
}

function ask({ phase }: Child, exchange: Exchange): Verdict | Promise<Verdict> {
  return exchange.isDryRun && phase.explain ? phase.explain(exchange) : phase.request(exchange)
}

/** The gravest of what was said of wrong credentials, with the challenges of all. */
function refuseWrong(exchange: Exchange, wrong: readonly Refusal[]): Response {
  const [gravest] = wrong.toSorted((a, b) => gravity(b.answer) - gravity(a.answer))
  const answer = (gravest as Refusal).answer
  exchange.trace?.note('What the caller presented is wrong, so he does not pass as nobody either.')
  const challenges = wrong.map(({ answer }) => answer.headers.get('www-authenticate'))
  return answer.status === 401 ? withChallenges(answer, challenges) : answer
}

/** Nothing was presented: says all that would do. */
function refuseMissing({ exchange, refusals }: Attempt): Response {
  const challenges = refusals.map(({ answer }) => answer.headers.get('www-authenticate'))
  if (challenges.every(each => each === null)) return (refusals[0] as Refusal).answer
  const answer = exchange.refuse('ERR_CREDENTIALS_MISSING', 'Credentials are needed here: none were sent.')
  return withChallenges(answer, challenges)
}

/** A policy that can't be asked now comes first, then one that begins a log-in, then what lacks a right. */
function gravity({ status }: Response): number {
  if (status >= 500) return 4
  if (status < 400) return 3
  return status === 401 ? 1 : 2
}

function withChallenges(answer: Response, challenges: readonly (string | null)[]): Response {
  const combined = new Response(answer.body, answer)
  combined.headers.delete('www-authenticate')
  // A line each: some clients read no more than one challenge of a line.
  for (const challenge of new Set(challenges)) {
    if (challenge !== null) combined.headers.append('www-authenticate', challenge)
  }
  return combined
}

/** What those who were not asked would have said, as far as they say so at once. */
function challengesOf(exchange: Exchange, children: readonly Child[]): string {
  const silent = exchange.fork(exchange.request)
  const challenges = children.map(child => {
    const answer = ask(child, silent)
    if (answer instanceof Promise) void answer.catch(() => {})
    return answer instanceof Response ? answer.headers.get('www-authenticate') : null
  })
  return [...new Set(challenges)].filter(each => each !== null).join(', ')
}

/** Only what decides on the way in can be one of several: what wraps the rest of the route can't be undone. */
function checkChild(name: string, phase: Phase): Child['phase'] {
  const { request } = phase
  if (request && !phase.around && !phase.response) return phase as Child['phase']
  throw new SkerryError(
    'ERR_GATEWAY_FILE',
    `"${name}" can't be in "policies": it does not only let callers pass or not. Put it into the route's "use".`,
  )
}

const NOBODY = {
  type: 'anonymous',
  subject: 'anonymous',
  scopes: [],
  roles: [],
  claims: {},
} as const
