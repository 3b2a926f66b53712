import * as v from 'valibot'
import { durationSecondsBetween } from './duration.ts'
import { definePolicy } from './policy.ts'

const options = v.strictObject({
  after: v.pipe(
    durationSecondsBetween(0.001, 600),
    v.description('How long the rest of the route may take to the head of its response.'),
  ),
})

/**
 * Answers 504 for a target that takes too long to its response head. The body may take its time.
 *
 * A timer each request costs 5 % of the throughput; the platform's own limit (LIMITS.wallClockMs) costs nothing.
 */
export const timeoutPolicy = definePolicy({
  type: 'timeout',
  summary: 'Answers 504 when what comes after it takes too long.',
  options,
  create: ({ after }) => ({
    async around(exchange, next) {
      let timer: ReturnType<typeof setTimeout> | null = null
      const late = new Promise<Response>(resolve => {
        timer = setTimeout(() => {
          exchange.trace?.note('The target took too long.', { seconds: after })
          resolve(exchange.refuse('ERR_ROUTE_TIMEOUT', `There was no answer within ${after} seconds.`))
        }, after * 1000)
      })
      // `answeredBy` stays that of the target: it is what took too long.
      const answer = next()
      // Nobody waits for it any more when it fails late.
      answer.catch(() => {})
      try {
        return await Promise.race([answer, late])
      } finally {
        clearTimeout(timer)
      }
    },
    explain(exchange) {
      exchange.trace?.note('What comes after it may take so long.', { seconds: after })
      return undefined
    },
  }),
})
