/** How long bytes may move within the process before it looks for I/O again, in milliseconds. */
const BREATH_MS = 10

/**
 * To be awaited between chunks: lets the process look for I/O now and then.
 *
 * workerd does so only when nothing is left to do inside of it. A function's stream that goes to the disk never
 * leaves it, so a large one would keep the process from its sockets until it is taken for hung.
 */
export function createBreath(): () => Promise<void> {
  let breathedMs = Date.now()
  return async () => {
    if (Date.now() - breathedMs < BREATH_MS) return
    await scheduler.wait(0)
    breathedMs = Date.now()
  }
}
