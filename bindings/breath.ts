/** How long calls between functions may go on before the process looks for I/O again, in milliseconds. */
const BREATH_MS = 10
/** How many of them may, as one of them can take long. */
const BREATH_CALLS = 64

/**
 * To be awaited before a call from one function to another, if there is something to await: mostly there isn't.
 *
 * workerd looks for I/O only when nothing is left to do inside the process. Calls that never leave it, one after
 * the other without end, would keep it from its sockets for good. So now and then all of them wait for a timer
 * of no time at all, which comes with the next look. That takes 15 µs in a process that has nothing else to do.
 */
export function breathe(): Promise<void> | undefined {
  return mayGoOn() ? undefined : breath()
}

async function breath(): Promise<void> {
  for (;;) {
    const before = breaths
    // Its own timer: one that is shared ends with the call that set it, which may be given up.
    await scheduler.wait(0)
    // Of many that waited, only the first go on before the next breath.
    if (breaths === before) {
      breaths++
      breathedMs = Date.now()
      calls = 0
    }
    if (mayGoOn()) return
  }
}

function mayGoOn(): boolean {
  if (calls >= BREATH_CALLS) return false
  const sinceMs = Date.now() - breathedMs
  // Less than nothing: the clock was set back.
  if (sinceMs < 0 || sinceMs >= BREATH_MS) return false
  calls++
  return true
}

// Noted only after the wait: if one waited and others went on, it would wait for ever.
let breaths = 0
let breathedMs = 0
/** Since then. */
let calls = 0
