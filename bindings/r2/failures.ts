import type { ObjectInfo } from './types.ts'

/** Why R2 refuses, with the code and words of Cloudflare's binding. @see https://developers.cloudflare.com/r2/api/error-codes/ */
const PROBLEMS = {
  internal: [10001, 500, 'We encountered an internal error. Please try again.'],
  'no-such-bucket': [10006, 404, 'The specified bucket does not exist.'],
  'no-such-key': [10007, 404, 'The specified key does not exist.'],
  'too-small': [10011, 400, 'Your proposed upload is smaller than the minimum allowed object size.'],
  metadata: [10012, 400, 'Your metadata headers exceed the maximum allowed metadata size.'],
  'key-name': [10020, 400, 'The specified object name is not valid.'],
  'max-keys': [10022, 400, 'MaxKeys params must be positive integer <= 1000.'],
  'no-such-upload': [10024, 404, 'The specified multipart upload does not exist.'],
  'invalid-part': [10025, 400, 'One or more of the specified parts could not be found.'],
  argument: [10029, 400, 'Metadata missing or invalid'],
  precondition: [10031, 412, 'At least one of the pre-conditions you specified did not hold.'],
  'bad-digest': [10037, 400, 'The checksum you specified did not match what we received.'],
  'invalid-range': [10039, 416, 'The requested range is not satisfiable'],
  'bad-upload': [10048, 400, 'There was a problem with the multipart upload.'],
  'too-large': [100100, 400, 'Your proposed upload exceeds the maximum allowed object size.'],
} as const

/** A reason by the platform's name. */
export type ProblemName = keyof typeof PROBLEMS

/** A refusal of R2: thrown by every function of service.ts. */
export class R2Failure extends Error {
  readonly reason: ProblemName
  /** Cloudflare's. */
  readonly code: number
  /** HTTP status for the API. */
  readonly status: number
  /** Of a read whose condition doesn't hold: the object all the same. */
  readonly object: ObjectInfo | undefined

  constructor(reason: ProblemName, message: string = PROBLEMS[reason][2], object?: ObjectInfo) {
    super(message)
    const [code, status] = PROBLEMS[reason]
    this.reason = reason
    this.code = code
    this.status = status
    this.object = object
  }
}

/** A refusal as it travels between processes, where errors lose their fields. */
export interface Refused {
  readonly refused: ProblemName
  readonly object?: ObjectInfo
}

/** Whether an object's answer is a refusal. */
export function isRefused(answer: unknown): answer is Refused {
  return typeof answer === 'object' && answer !== null && 'refused' in answer
}
