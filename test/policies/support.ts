import { Exchange, type ExchangeInit, type Trace } from '../../routes/policies/exchange.ts'
import { createLocalServices } from '../../routes/policies/local-services.ts'
import type { Phase } from '../../routes/policies/policy.ts'
import { runPolicies, type Target } from '../../routes/policies/run.ts'
import type { Services } from '../../routes/policies/services.ts'

/** A fixed clock: 2026-11-21T12:00:00Z. */
export const NOW_MS = Date.UTC(2026, 10, 21, 12)

/** What a test may set of an exchange; the rest is as in a stand-alone Worker. */
export interface ExchangeSetup extends Partial<Omit<ExchangeInit, 'request' | 'services'>> {
  readonly services?: Partial<Services>
}

/** An exchange at `NOW_MS` whose services are in memory, and whose way out is closed unless the test opens it. */
export function makeExchange(request: Request, { services, ...init }: ExchangeSetup = {}): Exchange {
  return new Exchange({
    request,
    nowMs: NOW_MS,
    ...init,
    services: { ...createLocalServices(), fetch: refuseToFetch, ...services },
  })
}

/** Sends an exchange (or a request in a new one) through one policy to a target that answers 200 `ok`. */
export async function runPolicy(
  phase: Phase,
  request: Request | Exchange,
  target: Target = () => new Response('ok'),
): Promise<Response> {
  const exchange = request instanceof Exchange ? request : makeExchange(request)
  return runPolicies([phase], exchange, target)
}

/** A trace that keeps its notes. */
export function makeTrace(): Trace & { readonly findings: string[] } {
  const findings: string[] = []
  return {
    findings,
    note: (finding, values) => void findings.push(values ? `${finding} ${JSON.stringify(values)}` : finding),
  }
}

/** The code of a refusal. */
export async function codeOf(response: Response): Promise<unknown> {
  const problem = (await response.clone().json()) as { code?: unknown }
  return problem.code
}

const refuseToFetch: Services['fetch'] = async input => {
  throw new Error(`This test has no way out to ${typeof input === 'string' ? input : input.url}.`)
}
