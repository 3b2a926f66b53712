import * as v from 'valibot'
import type { ErrorCode } from '../../../src/core/errors.ts'
import { SkerryError } from '../../../src/core/errors.ts'
import { toHex } from '../../../src/core/ids.ts'
import { RecentMap } from '../../../src/core/recent-map.ts'
import type { Exchange } from '../exchange.ts'
import { definePolicy, type Phase, type Verdict } from '../policy.ts'
import { type BasicCredentials, decodeCredentials } from './credentials.ts'
import { PasswordFile, parseStoredPassword, type StoredPassword } from './password.ts'

const userName = v.pipe(
  v.string(),
  v.regex(/^[^\p{Cc}:]{1,128}$/u, 'A user name has 1 to 128 characters, no colon or control character.'),
)
const password = v.pipe(
  v.string(),
  v.minLength(1, 'It must not be empty.'),
  v.maxLength(1024, 'It must have at most 1,024 characters.'),
)
const role = v.pipe(v.string(), v.minLength(1, 'It must not be empty.'), v.maxLength(128))

const options = v.strictObject({
  users: v.pipe(
    v.record(userName, password),
    v.check(users => Object.keys(users).length > 0, 'There must be a user.'),
    v.check(users => Object.keys(users).length <= 10_000, 'At most 10,000 users.'),
    v.description(
      'Passwords by user name: `"secret:NAME"`, or the hash `pbkdf2-sha256$<iterations>$<salt>$<hash>`.',
    ),
  ),
  roles: v.pipe(
    v.optional(v.record(userName, v.array(role)), {}),
    v.description('Roles by user name, for the policy `rbac` and for the function.'),
  ),
  realm: v.pipe(
    v.optional(
      v.pipe(
        v.string(),
        v.regex(
          /^[\x20\x21\x23-\x5B\x5D-\x7E]{1,128}$/,
          'It must have 1 to 128 printable ASCII characters, no quote or backslash.',
        ),
      ),
    ),
    v.description("What browsers show when they ask for the password; default: the policy's name."),
  ),
  hide: v.pipe(
    v.optional(v.boolean(), true),
    v.description('The function or upstream does not see the password.'),
  ),
})

type BasicOptions = v.InferOutput<typeof options>

/** Lets users with a password pass (RFC 7617). */
export const basicPolicy = definePolicy({
  type: 'basic',
  summary: 'Lets users with a name and password pass: HTTP Basic authentication (RFC 7617).',
  options,
  create: (options, { name }) => new BasicPhase(options, name),
})

class BasicPhase implements Phase {
  readonly #name: string
  readonly #passwords: PasswordFile
  readonly #roles: Readonly<Record<string, readonly string[]>>
  readonly #challenge: string
  readonly #hides: boolean
  /** Users by the digest of credentials that were right: a stored hash costs up to 50 ms to check. */
  readonly #verified = new RecentMap<string, string>(MAX_VERIFIED)
  /** Made with the first request: in the global scope of a Worker there is no randomness. */
  #salt: string | undefined

  constructor({ users, roles, realm, hide }: BasicOptions, name: string) {
    this.#name = name
    this.#passwords = new PasswordFile(new Map(Object.entries(users).map(toEntry)))
    for (const user of Object.keys(roles)) {
      if (!Object.hasOwn(users, user))
        throw new SkerryError('ERR_GATEWAY_FILE', `"roles" names "${user}", who is not in "users".`)
    }
    this.#roles = roles
    this.#challenge = `Basic realm="${realm ?? name}", charset="UTF-8"`
    this.#hides = hide
  }

  isPresented(exchange: Exchange): boolean {
    return isBasic(exchange.request.headers.get('authorization'))
  }

  request(exchange: Exchange): Verdict | Promise<Verdict> {
    const header = exchange.request.headers.get('authorization')
    if (header === null || !isBasic(header)) {
      exchange.trace?.note('The request has no user name and password.')
      return this.#refuse(exchange, 'ERR_CREDENTIALS_MISSING', 'A user name and password are needed here.')
    }
    const credentials = header.length <= MAX_HEADER_CHARS ? decodeCredentials(header) : undefined
    if (!credentials) {
      exchange.trace?.note('The header Authorization is not base64 of "<user>:<password>" in UTF-8.')
      return this.#refuse(
        exchange,
        'ERR_CREDENTIALS_INVALID',
        'The header Authorization must be "Basic " and base64 of "<user>:<password>" in UTF-8.',
      )
    }
    return this.#check(exchange, credentials)
  }

  async #check(exchange: Exchange, { user, password }: BasicCredentials): Promise<Verdict> {
    this.#salt ??= crypto.randomUUID()
    const digest = await digestOf(`${this.#salt}:${user}:${password}`)
    if (this.#verified.get(digest) !== user) {
      if (!(await this.#passwords.verify(user, password))) {
        exchange.trace?.note('There is no such user, or the password is wrong.', { user })
        return this.#refuse(
          exchange,
          'ERR_CREDENTIALS_INVALID',
          'There is no such user, or the password is wrong.',
        )
      }
      this.#verified.set(digest, user)
    }
    const roles = Object.hasOwn(this.#roles, user) ? (this.#roles[user] ?? []) : []
    exchange.identity = { type: 'basic', policy: this.#name, subject: user, scopes: [], roles, claims: {} }
    exchange.trace?.note('The password is right.', { user, roles })
    if (this.#hides) exchange.requestHeaders.delete('authorization')
    return undefined
  }

  #refuse(exchange: Exchange, code: ErrorCode, detail: string): Response {
    return exchange.refuse(code, detail, { 'www-authenticate': this.#challenge })
  }
}

function isBasic(header: string | null): boolean {
  return header !== null && header.slice(0, 6).toLowerCase() === 'basic '
}

function toEntry([user, text]: [string, string]): [string, StoredPassword] {
  const stored = parseStoredPassword(text)
  if (typeof stored === 'string') throw new SkerryError('ERR_GATEWAY_FILE', `users.${user}: ${stored}`)
  return [user.normalize('NFC'), stored]
}

async function digestOf(text: string): Promise<string> {
  return toHex(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))))
}

/** Users that call at the same time on one edge. */
const MAX_VERIFIED = 1000
/** A name of 128 and a password of 1,024 characters of four bytes, in base64. */
const MAX_HEADER_CHARS = 6200
