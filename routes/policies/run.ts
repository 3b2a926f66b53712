import type { Exchange } from './exchange.ts'
import type { Phase } from './policy.ts'

/** Answers a request for which every policy said to go on. */
export type Target = (exchange: Exchange) => Response | Promise<Response>

/**
 * Sends an exchange through policies to its target, and the answer back through them: the first policy in the list
 * is the outermost. Nothing is awaited unless a policy or the target makes it necessary.
 *
 * @returns the answer, with the header changes that policies asked for
 */
export function runPolicies(
  phases: readonly Phase[],
  exchange: Exchange,
  target: Target,
): Response | Promise<Response> {
  const answer = enter(phases, 0, exchange, target)
  return answer instanceof Promise
    ? answer.then(response => exchange.finish(response))
    : exchange.finish(answer)
}

function enter(
  phases: readonly Phase[],
  from: number,
  exchange: Exchange,
  target: Target,
): Response | Promise<Response> {
  for (let i = from; i < phases.length; i++) {
    const phase = phases[i] as Phase
    exchange.trace?.enter?.(i)
    if (phase.around) {
      exchange.answeredBy = i
      const next = async (asked = exchange) => {
        asked.answeredBy = -1
        return enter(phases, i + 1, asked, target)
      }
      return leave(phases, from, i, phase.around(exchange, next), exchange)
    }
    const verdict = phase.request?.(exchange)
    if (verdict === undefined) continue
    if (!(verdict instanceof Promise)) {
      exchange.answeredBy = i
      return leave(phases, from, i, verdict, exchange)
    }
    const rest = verdict.then(answer => {
      if (answer === undefined) return enterAfter(phases, i, exchange, target)
      exchange.answeredBy = i
      return answer
    })
    return leave(phases, from, i, rest, exchange)
  }
  return leave(phases, from, phases.length, target(exchange), exchange)
}

/** Goes on behind an asynchronous policy; its own `response` is asked too. */
function enterAfter(
  phases: readonly Phase[],
  i: number,
  exchange: Exchange,
  target: Target,
): Response | Promise<Response> {
  const answer = enter(phases, i + 1, exchange, target)
  return leave(phases, i, i + 1, answer, exchange)
}

/** Asks the `response` of phases `from` to `to` (exclusive), the innermost first. */
function leave(
  phases: readonly Phase[],
  from: number,
  to: number,
  answer: Response | Promise<Response>,
  exchange: Exchange,
): Response | Promise<Response> {
  let current = answer
  for (let i = to - 1; i >= from; i--) {
    const phase = phases[i] as Phase
    if (!phase.response || phase.around) continue
    current =
      current instanceof Promise
        ? current.then(response => phase.response?.(response, exchange) ?? response)
        : phase.response(current, exchange)
  }
  return current
}
