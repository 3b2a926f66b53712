/** What a run waits for: times, and events. */
export class Waits {
  readonly #waits = new Set<Wait>()

  get count(): number {
    return this.#waits.size
  }

  /** When the first is over at the latest, in milliseconds since the epoch. */
  get nextDueMs(): number {
    return Math.min(...[...this.#waits].map(({ dueMs }) => dueMs))
  }

  /** The types of events that end one. */
  get eventTypes(): string[] {
    return [...this.#waits].flatMap(({ eventType }) => eventType ?? [])
  }

  /** Begins a wait until then, or for an event of a type. @returns why it is over */
  begin(dueMs: number, eventType?: string): Promise<'due' | 'event'> {
    const { promise, resolve } = Promise.withResolvers<'due' | 'event'>()
    const due = delay(dueMs - Date.now())
    const end = (why: 'due' | 'event') => {
      due.cancel()
      this.#waits.delete(wait)
      resolve(why)
    }
    const wait = { dueMs, eventType, end, cancel: due.cancel }
    this.#waits.add(wait)
    due.promise.then(() => end('due'))
    return promise
  }

  /** Ends those for events of a type. */
  notify(type: string): void {
    for (const wait of [...this.#waits]) if (wait.eventType === type) wait.end('event')
  }

  /** Forgets all: none of them is ever over. */
  clear(): void {
    for (const { cancel } of this.#waits) cancel()
    this.#waits.clear()
  }
}

interface Wait {
  readonly dueMs: number
  readonly eventType: string | undefined
  readonly end: (why: 'due' | 'event') => void
  readonly cancel: () => void
}

/** Resolves after so many milliseconds, however many; never once it is cancelled. */
export function delay(ms: number): { readonly promise: Promise<void>; cancel(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let timer: ReturnType<typeof setTimeout>
  const arm = (restMs: number) => {
    const nowMs = Math.min(Math.max(restMs, 0), MAX_TIMER_MS)
    timer = setTimeout(() => (restMs > nowMs ? arm(restMs - nowMs) : resolve()), nowMs)
  }
  arm(ms)
  return { promise, cancel: () => clearTimeout(timer) }
}

/** What a timer takes. */
const MAX_TIMER_MS = 2 ** 31 - 1
