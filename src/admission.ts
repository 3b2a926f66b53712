import { countOut, type ScriptGate, type Slot } from './core/admission.ts'

/** Why a request got no place. */
export type Refusal = 'queue is full' | 'waited too long'

/**
 * A place for one invocation of a script, as soon as one is free.
 *
 * Ask `gate.enter` first: mostly there is one, and nothing needs to be awaited.
 */
export async function waitForPlace(gate: ScriptGate, nowMs: number): Promise<Slot | Refusal> {
  // Whoever gives a place back wakes us: promises may be resolved across requests.
  const { promise, resolve } = Promise.withResolvers<void>()
  const waiter = gate.wait(nowMs, resolve)
  if (!waiter) return 'queue is full'
  await Promise.race([promise, scheduler.wait(waiter.untilMs - nowMs)])
  return gate.claim(waiter, Date.now()) ?? 'waited too long'
}

/** Gives a place back; whoever waits for it gets it. */
export function leave(slot: Slot): void {
  countOut(slot)
  const { gate } = slot.account
  if (gate.isContended) gate.dispatch(Date.now())
}
