import { SkerryError } from '../src/core/errors.ts'

/**
 * The newest compatibility date that the workerd in package.json knows. Raise it together with that binary:
 * a later date would fail when the isolate starts, with workerd's own message.
 */
export const NEWEST_COMPATIBILITY_DATE = '2026-11-24'

/** What the flag would break; each is refused at upload. */
const REFUSED_FLAGS: Readonly<Record<string, string>> = {
  no_rpc: 'the platform reaches the isolate and its bindings by RPC',
  disallow_importable_env: 'the platform prepares bindings through the importable env',
  python_workers: 'Python Workers are not supported',
}

/**
 * Refuses a compatibility date or set of flags that this platform can't run, at upload.
 *
 * `today` is `YYYY-MM-DD` in UTC. Unknown flags, flags that contradict one another and experimental flags are
 * refused by workerd itself when the code is probed, so that the list of flags has one owner.
 *
 * @throws ERR_UPLOAD_METADATA
 */
export function checkCompatibility(date: string, flags: readonly string[], today: string): void {
  if (!isDate(date)) throw invalid(`Invalid compatibility date: ${date}. Write it as YYYY-MM-DD.`)
  if (date > today) {
    throw invalid(`Can't set compatibility date in the future: ${date}. Today's date (UTC) is ${today}.`)
  }
  if (date > NEWEST_COMPATIBILITY_DATE) {
    throw invalid(
      `This Worker requires compatibility date "${date}", but the newest date supported by this server ` +
        `binary is "${NEWEST_COMPATIBILITY_DATE}". Use that date, or update the platform.`,
    )
  }
  const seen = new Set<string>()
  for (const flag of flags) {
    if (seen.has(flag)) throw invalid(`Compatibility flag specified multiple times: ${flag}`)
    seen.add(flag)
    const reason = Object.hasOwn(REFUSED_FLAGS, flag) ? REFUSED_FLAGS[flag] : undefined
    if (reason) throw invalid(`The compatibility flag ${flag} is not supported here: ${reason}. Remove it.`)
  }
}

/**
 * The flags an isolate is started with: the version's own, and those that the platform needs where the date
 * doesn't imply them yet. workerd refuses neither a flag that the date implies, nor has two spellings of these.
 */
export function resolveFlags(
  format: 'modules' | 'service-worker',
  date: string,
  flags: readonly string[],
): string[] {
  const needed: string[] = []
  // Without it a stub in `env` has no methods, and the harness can't be called.
  if (date < '2024-04-03') needed.push('rpc')
  // Before, `env.KV.get('a')` on a stub was an HTTP request.
  if (date < '2024-03-26') needed.push('fetcher_no_get_put_delete')
  if (format === 'service-worker' && date < '2025-06-01') needed.push('allow_eval_during_startup')
  return [...new Set([...flags, ...needed])]
}

function isDate(text: string): boolean {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return false
  const time = Date.parse(`${text}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(text)
}

const invalid = (message: string): SkerryError => new SkerryError('ERR_UPLOAD_METADATA', message)
