import * as v from 'valibot'
import { SkerryError } from '../../src/core/errors.ts'
import { describeIssue } from '../policies/issues.ts'
import type { Phase, PolicyKind } from '../policies/policy.ts'
import type { GatewayDocument } from './document.ts'
import { withSecrets } from './secrets.ts'

/** A policy of a route, made. */
export interface CompiledPolicy {
  readonly name: string
  readonly type: string
  readonly phase: Phase
}

interface Made extends CompiledPolicy {
  /** Type and options, secrets included: what makes two policies the same. */
  readonly text: string
  readonly parts: readonly Made[]
}

/** Makes the policies of one gateway file, each once. */
export class PolicyMaker {
  readonly #document: GatewayDocument
  readonly #secrets: Readonly<Record<string, string>>
  readonly #before: ReadonlyMap<string, Made>
  readonly #kinds: ReadonlyMap<string, PolicyKind<unknown>>
  readonly #made = new Map<string, Made>()
  readonly #making = new Set<string>()

  constructor(
    document: GatewayDocument,
    secrets: Readonly<Record<string, string>>,
    before: PolicyMaker | undefined,
    kinds: ReadonlyMap<string, PolicyKind<unknown>>,
  ) {
    this.#document = document
    this.#secrets = secrets
    this.#before = before ? before.#made : new Map()
    this.#kinds = kinds
  }

  /** A policy of the file by name, the same one each time. */
  make(name: string): Made {
    const known = this.#made.get(name)
    if (known) return known
    const made = this.#makeNew(name)
    this.#made.set(name, made)
    return made
  }

  #makeNew(name: string): Made {
    const written = this.#document.policies[name]
    const type = written?.type ?? ''
    let text = ''
    try {
      if (!written) throw new SkerryError('ERR_GATEWAY_FILE', `There is no policy "${name}".`)
      if (this.#making.has(name)) {
        throw new SkerryError('ERR_GATEWAY_FILE', `The policy "${name}" is made of itself.`)
      }
      this.#making.add(name)
      const { type: _, ...options } = withSecrets(written, this.#secrets) as typeof written
      text = JSON.stringify([type, options])
      const before = this.#before.get(name)
      if (before && before.text === text && before.parts.every(part => this.make(part.name) === part)) {
        return before
      }
      return this.#create(name, type, text, options)
    } catch (error) {
      reportFailure(name, error)
      return { name, type, text, parts: [], phase: REFUSE }
    } finally {
      this.#making.delete(name)
    }
  }

  #create(name: string, type: string, text: string, options: Record<string, unknown>): Made {
    const kind = this.#kinds.get(type)
    if (!kind) throw new SkerryError('ERR_GATEWAY_FILE', `There is no type of policy "${type}".`)
    const parsed = v.safeParse(kind.options, options)
    if (!parsed.success) throw new SkerryError('ERR_GATEWAY_FILE', describeIssue(parsed.issues[0]))
    const parts: Made[] = []
    const policy = (part: string): Phase => {
      if (this.#making.has(part)) {
        throw new SkerryError(
          'ERR_GATEWAY_FILE',
          `The policies "${name}" and "${part}" are made of each other.`,
        )
      }
      const made = this.make(part)
      parts.push(made)
      return made.phase
    }
    return { name, type, text, parts, phase: kind.create(parsed.output, { name, policy }) }
  }
}

/** Says in the log what can't be made. */
export function reportFailure(name: string, error: unknown): void {
  const message = error instanceof Error ? error.message : String(error)
  console.error(JSON.stringify({ level: 'error', gateway: name, error: message }))
}

/** In the place of a policy that can't be made. */
export const REFUSE: Phase = {
  request: exchange => exchange.refuse('ERR_POLICY_FAILED', 'A policy of this route could not be made.'),
}
