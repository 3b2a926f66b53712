import type { Answer } from './caller.ts'
import type { Victim } from './crash.ts'

/** While a victim was being replaced. */
export interface Outage {
  readonly victim: Victim
  readonly fromMs: number
  readonly toMs: number
}

/** Collects what went wrong; knows what callers may see during a kill, and what never. */
export class Verdicts {
  readonly violations: string[] = []
  readonly #met = new Map<Victim, Record<string, number>>()
  #failures: { readonly what: string; readonly answer: Answer }[] = []

  /** Notes an answer that isn't the right one, to be judged after the round. */
  note(what: string, answer: Answer): void {
    this.#failures.push({ what, answer })
  }

  blame(when: string, what: string): void {
    this.violations.push(`${when}: ${what}`)
  }

  /** Excuses the failures noted so far as far as an outage explains them, and blames the others. */
  judge(when: string, outage?: Outage): void {
    for (const { what, answer } of this.#failures) {
      const kind = outage && overlaps(answer, outage) ? excuseOf(answer, outage.victim) : undefined
      if (outage && kind) this.#count(outage.victim, kind)
      else {
        const fromKillMs = outage ? `${Math.round(answer.startedAtMs - outage.fromMs)} ms after the kill` : ''
        const { status, text, ms } = answer
        this.blame(
          when,
          `${what} got ${status} ${text.slice(0, 300)} (sent ${fromKillMs}, ${Math.round(ms)} ms)`,
        )
      }
    }
    this.#failures = []
  }

  metDuring(victim: Victim): Record<string, number> {
    return this.#met.get(victim) ?? {}
  }

  #count(victim: Victim, kind: string): void {
    const met = this.#met.get(victim) ?? {}
    met[kind] = (met[kind] ?? 0) + 1
    this.#met.set(victim, met)
  }
}

function overlaps({ startedAtMs, ms }: Answer, { fromMs, toMs }: Outage): boolean {
  return startedAtMs + ms >= fromMs && startedAtMs <= toMs
}

/** How a kill explains an answer; `undefined` = it doesn't. */
function excuseOf({ status, text, retryAfter }: Answer, victim: Victim): string | undefined {
  if (status === 503 && retryAfter !== undefined) return `503 ${/"code":"(\w+)"/.exec(text)?.[1] ?? ''}`
  if (status !== 0 || text.startsWith('no answer')) return undefined
  // A client's connection is an edge's: without an edge's death it holds.
  if (victim === 'state') return text.startsWith('in the body: ') ? text : undefined
  return /^(in the body: )?(ECONNRESET|EPIPE|aborted)$/.test(text) ||
    (victim === 'supervisor' && text === 'ECONNREFUSED')
    ? text
    : undefined
}
