/** The operator's wish to stop. */
export interface StopSignal {
  /** Resolves at the first SIGINT, SIGTERM or SIGHUP, or when the launcher that started us is gone. */
  readonly first: Promise<'stop'>
  /** Calls back when the operator asks again: they don't want to wait. */
  onAgain(callback: () => void): void
}

// A terminal and a launcher such as npm may both pass on one Ctrl-C: that is one wish.
const SAME_WISH_MS = 500

/** Listens for the signals that ask a process to end; from here on they no longer end it by themselves. */
export function waitForStopSignal(): StopSignal {
  const { promise, resolve } = Promise.withResolvers<'stop'>()
  const callbacks: (() => void)[] = []
  let firstAtMs: number | undefined
  const onSignal = () => {
    firstAtMs ??= performance.now()
    resolve('stop')
    if (performance.now() - firstAtMs > SAME_WISH_MS) for (const callback of callbacks) callback()
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, onSignal)
  // bin/skerry.mjs holds the other end: killed with SIGKILL, it can't tell us otherwise.
  process.once('disconnect', onSignal)
  // Listening alone would keep us running after everything has ended.
  process.channel?.unref()
  return { first: promise, onAgain: callback => void callbacks.push(callback) }
}
