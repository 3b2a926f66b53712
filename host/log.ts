/** How log lines look: for people, or one JSON object a line. */
export type LogFormat = 'text' | 'json'

/** Writes lines of log to standard error. */
export interface Log {
  /** Something the supervisor did or saw. */
  (message: string): void
  /** A line that a process printed. */
  line(process: string, text: string): void
}

/** A log in the operator's format. */
export function createLog(format: LogFormat, write = (text: string) => void process.stderr.write(text)): Log {
  const now = () => new Date().toISOString()
  const log: Log = message => {
    write(format === 'json' ? `${JSON.stringify({ time: now(), message })}\n` : `${now()} ${message}\n`)
  }
  log.line = (process, text) => {
    write(format === 'json' ? `${JSON.stringify({ time: now(), process, message: text })}\n` : `${text}\n`)
  }
  return log
}

/**
 * Passes on the lines of a process, without one warning of workerd's and its stack: that a request which the platform
 * asked whether it is still there (src/core/admission.ts) isn't. Whenever clients go away there is one for each.
 */
export function withoutExpected(pass: (line: string) => void): (line: string) => void {
  /** A warning, until its stack says whose it is. */
  let held: string[] = []
  let isOurs = false
  return line => {
    const isFrame = line.startsWith('    at ')
    if (isOurs && isFrame) return
    isOurs = isFrame && held.length > 0 && OURS.test(line)
    if (isOurs) held = []
    else if (line.startsWith(REQUEST_GONE) || (held.length > 0 && NATIVE.test(line))) held.push(line)
    else for (const each of [...held.splice(0), line]) pass(each)
  }
}

const REQUEST_GONE =
  'Warning: A promise was resolved or rejected from a different request context than the one it was created in. ' +
  'However, the creating request has already been completed or canceled.'
const NATIVE = /^ {4}at .*<anonymous>/
const OURS = /^ {4}at Place\.(ask|fail) /
