/**
 * A failure that ends a command: its message is all the user sees, so it states the value, the bound and the
 * way out. Everything else that is thrown is a defect and keeps its stack.
 */
export class Failure extends Error {
  /** 1: it didn't work. 2: it was asked for wrongly. */
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Failure'
    this.exitCode = exitCode
  }
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The system's code of a failed call, such as `ENOENT` or `EADDRINUSE`. */
export function systemCodeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}
