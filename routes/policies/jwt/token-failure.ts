/** A token that isn't taken, and why. */
export interface TokenFailure {
  readonly code: 'ERR_JWT_INVALID' | 'ERR_JWT_EXPIRED'
  /** A sentence for the caller, without anything of the token that is a secret. */
  readonly detail: string
}

/** Whether a check gave a failure. */
export function isFailure(result: object): result is TokenFailure {
  return 'code' in result
}

/** A token that never was good, or isn't good here. */
export const invalid = (detail: string): TokenFailure => ({ code: 'ERR_JWT_INVALID', detail })

/** A token that was good once. */
export const expired = (detail: string): TokenFailure => ({ code: 'ERR_JWT_EXPIRED', detail })
