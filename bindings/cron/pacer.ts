/** Starts a task now or in its turn; resolves as the task does. */
export type Pacer = <T>(task: () => Promise<T>) => Promise<T>

/**
 * Starts tasks in order, a few at once: a task frees its slot when it ends, or once it is `slotMs` old.
 *
 * So a thousand crons of one minute don't reach the edges in one instant, and yet a handler that takes minutes
 * holds up nobody.
 */
export function createPacer(slots: number, slotMs: number): Pacer {
  const waiting: (() => void)[] = []
  let free = slots
  const release = () => {
    const next = waiting.shift()
    if (next) next()
    else free++
  }

  return async task => {
    if (free > 0) free--
    else await new Promise<void>(resolve => waiting.push(resolve))

    let released = false
    const releaseOnce = () => {
      if (released) return
      released = true
      clearTimeout(timer)
      release()
    }
    const timer = setTimeout(releaseOnce, slotMs)
    try {
      return await task()
    } finally {
      releaseOnce()
    }
  }
}
