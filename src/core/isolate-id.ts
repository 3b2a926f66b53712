import { LIMITS } from './limits.ts'

/** Whose an isolate is, and how long it may have the thread. */
export interface IsolateOwner {
  /** 32 lower-case hex digits. */
  readonly accountId: string
  /** The script's name, as `wrangler deploy` takes it. */
  readonly script: string
  /** The longest turn in milliseconds before the process is ended; 1 to `MAX_TURN_MS`. */
  readonly turnMs: number
  /** What tells the script's isolates apart: letters, digits and `._+~-`, at most 256 of them. */
  readonly digest: string
}

/** The longest turn that a script can be allowed, in milliseconds: Cloudflare's longest CPU time. */
export const MAX_TURN_MS = 300_000

/**
 * The loader's id of an isolate: `<account>/<script>/<turn limit>/<digest>`.
 *
 * workerd names the isolate after it, so whoever reads the name in a process that hangs (host/look.ts) needs
 * nothing else to know whom to blame, and when.
 *
 * @throws RangeError if a part isn't as `IsolateOwner` says: the name could not be read back
 */
export function toIsolateId(owner: IsolateOwner): string {
  const text = `${owner.accountId}/${owner.script}/${owner.turnMs}/${owner.digest}`
  if (!parseIsolateId(text)) throw new RangeError(`"${text}" can't be read back as an isolate's id.`)
  return text
}

/** What `toIsolateId` was given; `undefined` for any other text. The text may come from anywhere. */
export function parseIsolateId(text: string): IsolateOwner | undefined {
  const [, accountId, script, turn, digest] = FORM.exec(text) ?? []
  if (!accountId || !script || !turn || !digest) return undefined
  const turnMs = Number(turn)
  if (turnMs > MAX_TURN_MS || script.length > LIMITS.scriptNameChars) return undefined
  return { accountId, script, turnMs, digest }
}

const FORM =
  /^([0-9a-f]{32})\/([a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)\/([1-9][0-9]{0,5})\/([A-Za-z0-9._+~-]{1,256})$/

/** What the digest of code begins with that is only being checked: it is no version's. */
export const PROBE_PREFIX = 'probe-'

/** Whether this is code that is being checked before it is anybody's: what it does is no deployed function's fault. */
export function isProbe({ digest }: IsolateOwner): boolean {
  return digest.startsWith(PROBE_PREFIX)
}
