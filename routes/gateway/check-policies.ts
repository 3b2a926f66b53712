import { safeParse } from 'valibot'
import { SkerryError, toSkerryError } from '../../src/core/errors.ts'
import { didYouMean } from '../../src/core/nearest.ts'
import { findIssues } from '../policies/issues.ts'
import type { Phase, PolicyKind } from '../policies/policy.ts'
import { type Findings, suggest } from './check-routes.ts'
import type { Path } from './places.ts'
import { secretNameOf, withSecrets } from './secrets.ts'

/** What policies are checked with. */
export interface PolicyCheck {
  readonly kinds: ReadonlyMap<string, PolicyKind<unknown>>
  /**
   * The texts of the secrets that are there; `undefined`: not to be looked at, so that what depends on them isn't
   * checked.
   */
  readonly secrets: Readonly<Record<string, string>> | undefined
  /** The names of the secrets that are there; `undefined`: not known. */
  readonly secretNames: ReadonlySet<string> | undefined
}

/**
 * Checks each policy's options by its kind's schema, and makes it once, as only that shows what is wrong between
 * policies.
 *
 * @returns the names of policies that others are made of
 */
export function checkPolicies(
  policies: Readonly<Record<string, unknown>>,
  check: PolicyCheck,
  findings: Findings,
): Set<string> {
  const trial = new Trial(policies, check, findings)
  for (const name of Object.keys(policies)) trial.make(name)
  return trial.used
}

type Options = Readonly<Record<string, unknown>>
type Secrets = Readonly<Record<string, string>>

/** Makes policies to see whether they can be made. */
class Trial {
  readonly used = new Set<string>()
  readonly #policies: Options
  readonly #check: PolicyCheck
  readonly #findings: Findings
  readonly #made = new Map<string, Phase>()
  readonly #making = new Set<string>()

  constructor(policies: Options, check: PolicyCheck, findings: Findings) {
    this.#policies = policies
    this.#check = check
    this.#findings = findings
  }

  make(name: string): Phase {
    const known = this.#made.get(name)
    if (known) return known
    this.#making.add(name)
    const phase = this.#makeNew(name)
    this.#making.delete(name)
    this.#made.set(name, phase)
    return phase
  }

  #makeNew(name: string): Phase {
    const written = this.#policies[name]
    // What has no type is an issue of the document's own schema.
    if (!isTable(written) || typeof written.type !== 'string' || written.type === '') return UNMADE
    const { type, ...raw } = written
    const kind = this.#check.kinds.get(type)
    if (!kind) {
      const known = [...this.#check.kinds.keys()].sort()
      const message = `There is no type of policy "${type}"${didYouMean(type, known)} There are: ${known.join(', ')}.`
      this.#report(name, ['type'], message)
      return UNMADE
    }
    const references = referencesIn(raw)
    const { secretNames } = this.#check
    const missing = references.filter(({ secret }) => secretNames && !secretNames.has(secret))
    for (const { path, secret } of missing) this.#report(name, path, missingSecret(secret))
    const secrets = this.#secretsFor(references)
    const isWhole = secrets !== undefined
    const options = isWhole ? (withSecrets(raw, secrets) as Options) : raw
    const issues = findIssues(kind.options, options).filter(
      // What stands there is only a secret's name; whether the text will do isn't known.
      ({ path }) => isWhole || !references.some(reference => isWithin(path, reference.path)),
    )
    for (const issue of issues) {
      const reference = references.find(({ path }) => isWithin(issue.path, path))
      const message = reference ? aboutSecret(reference.secret, issue.message, secrets) : issue.message
      this.#report(name, issue.path, message, issue.at)
    }
    if (issues.length > 0 || !isWhole) return UNMADE
    return this.#create(name, kind, { options, raw, secrets })
  }

  /** The texts that a policy refers to; `undefined` if not all are known. */
  #secretsFor(references: readonly Reference[]): Secrets | undefined {
    const { secrets } = this.#check
    const texts: Record<string, string> = {}
    for (const { secret } of references) {
      const text = secrets && Object.hasOwn(secrets, secret) ? secrets[secret] : undefined
      if (text === undefined) return undefined
      texts[secret] = text
    }
    return texts
  }

  #create(
    name: string,
    kind: PolicyKind<unknown>,
    { options, raw, secrets }: { options: Options; raw: Options; secrets: Secrets },
  ): Phase {
    const parsed = safeParse(kind.options, options)
    if (!parsed.success) return UNMADE
    let isTold = false
    let asked = ''
    try {
      return kind.create(parsed.output, {
        name,
        policy: part => {
          asked = part
          const phase = this.#part(name, part)
          isTold ||= phase === UNMADE
          return phase
        },
      })
    } catch (error) {
      // One of its parts can't be made, which was said there.
      if (isTold) return UNMADE
      const known = toSkerryError(error)
      const text = known
        ? known.detail
        : `It can't be made: ${error instanceof Error ? error.message : error}.`
      const path = asked ? (pathOfText(raw, asked) ?? []) : pathOfCause(error, raw)
      this.#report(name, path, withoutSecrets(text, secrets))
      return UNMADE
    }
  }

  #part(name: string, part: string): Phase {
    if (!Object.hasOwn(this.#policies, part)) {
      const end = suggest(part, Object.keys(this.#policies), this.#findings.issues)
      throw new SkerryError('ERR_GATEWAY_FILE', `There is no policy "${part}"${end}`)
    }
    this.used.add(part)
    if (this.#making.has(part)) {
      const message =
        part === name
          ? `The policy "${name}" is made of itself.`
          : `The policies "${name}" and "${part}" are made of each other.`
      throw new SkerryError('ERR_GATEWAY_FILE', message)
    }
    return this.make(part)
  }

  #report(name: string, path: Path, message: string, at?: 'key'): void {
    this.#findings.issues.push({ path: ['policies', name, ...path], message, ...(at && { at }) })
  }
}

/** In the place of a policy that can't be made. */
const UNMADE: Phase = {}

/** What to do about a secret that a file names and that isn't there. */
export function missingSecret(secret: string): string {
  return `There is no secret "${secret}": set it with \`skerry gateway secret put ${secret}\` first.`
}

function aboutSecret(secret: string, message: string, secrets: Secrets | undefined): string {
  return `The secret "${secret}" doesn't do here: ${withoutSecrets(message, secrets)}`
}

/** Messages show what they are about; a secret's text is shown to nobody. */
function withoutSecrets(message: string, secrets: Secrets = {}): string {
  let clean = message
  for (const text of Object.values(secrets)) {
    const cut = text.slice(0, SHOWN_CHARS)
    for (const shown of [text, `${cut}…`]) clean = clean.replaceAll(JSON.stringify(shown), 'its text')
    // A shorter one would be found in words.
    if (text.length >= 6) clean = clean.replaceAll(text, '…').replaceAll(cut, '…')
  }
  return clean
}

/** Where in its options a policy says that it can't be made (`cause.path`), as far as that is written there. */
function pathOfCause(error: unknown, raw: Options): Path {
  const { cause } = error as { cause?: { path?: unknown } }
  const path: (string | number)[] = []
  let value: unknown = raw
  for (const key of Array.isArray(cause?.path) ? (cause.path as string[]) : []) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) break
    path.push(Array.isArray(value) ? Number(key) : key)
    value = (value as Record<string | number, unknown>)[key]
  }
  return path
}

/** As many characters of a wrong value as issues show. */
const SHOWN_CHARS = 60

interface Reference {
  readonly path: Path
  readonly secret: string
}

function referencesIn(value: unknown, path: Path = []): Reference[] {
  if (typeof value === 'string') {
    const secret = secretNameOf(value)
    return secret === undefined ? [] : [{ path, secret }]
  }
  return entriesOf(value).flatMap(([key, item]) => referencesIn(item, [...path, key]))
}

function pathOfText(value: unknown, text: string, path: Path = []): Path | undefined {
  if (value === text) return path
  for (const [key, item] of entriesOf(value)) {
    const found = pathOfText(item, text, [...path, key])
    if (found) return found
  }
  return undefined
}

function entriesOf(value: unknown): [string | number, unknown][] {
  if (Array.isArray(value)) return [...value.entries()]
  return isTable(value) ? Object.entries(value) : []
}

const isTable = (value: unknown): value is Options =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isWithin = (path: Path, outer: Path): boolean => outer.every((key, i) => path[i] === key)
