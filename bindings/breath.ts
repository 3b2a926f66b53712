/** How long calls between functions may go on before the process looks for I/O again, in milliseconds. */
const BREATH_MS = 10

/**
 * To be awaited before a call from one function to another, if there is something to await: mostly there isn't.
 *
 * workerd looks for I/O only when nothing is left to do inside the process. Calls that never leave it, one after
 * the other without end, would keep it from its sockets for good. So now and then all of them wait for a timer
 * of no time at all, which comes with the next look. That takes 15 µs in a process that has nothing else to do.
 */
export function breathe(): Promise<void> | undefined {
  return isFresh() ? undefined : breath()
}

async function breath(): Promise<void> {
  for (;;) {
    const before = breathedMs
    // Its own timer: one that is shared ends with the call that set it, which may be given up.
    await scheduler.wait(0)
    // Of many that waited, only the first go on before the next breath.
    if (breathedMs === before) breathedMs = Date.now()
    if (isFresh()) return
  }
}

function isFresh(): boolean {
  const sinceMs = Date.now() - breathedMs
  // Less than nothing: the clock was set back.
  return sinceMs >= 0 && sinceMs < BREATH_MS
}

/** Noted only after the wait: if one waited and others went on, it would wait for ever. */
let breathedMs = 0
