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
