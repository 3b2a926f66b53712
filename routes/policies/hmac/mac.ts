import type { Hash, SignedMessage } from './scheme.ts'

/** Whether two texts of bytes are the same, in a time that tells nothing but their lengths. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** The bytes that a message's signature is of. */
export function toContent(
  { before, after }: Pick<SignedMessage, 'before' | 'after'>,
  body: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> {
  if (before === '' && after === '') return body
  const head = new TextEncoder().encode(before)
  const tail = new TextEncoder().encode(after)
  const content = new Uint8Array(head.length + body.length + tail.length)
  content.set(head)
  content.set(body, head.length)
  content.set(tail, head.length + body.length)
  return content
}

/** Checks signatures with any of several secrets' keys. */
export class MacVerifier {
  readonly #hash: Hash
  readonly #secrets: readonly Uint8Array<ArrayBuffer>[]
  /** Filled when first needed. Not promises: one that several requests wait for ends with the request that made it. */
  readonly #keys: (CryptoKey | undefined)[] = []

  constructor(hash: Hash, secrets: readonly Uint8Array<ArrayBuffer>[]) {
    this.#hash = hash
    this.#secrets = secrets
  }

  /** Which secret, counted from 0, made one of the signatures; `undefined` if none did. Shortened signatures don't count. */
  async verify(
    signatures: readonly Uint8Array[],
    content: Uint8Array<ArrayBuffer>,
  ): Promise<number | undefined> {
    for (let i = 0; i < this.#secrets.length; i++) {
      const mac = await this.sign(content, i)
      for (const signature of signatures) if (equalBytes(signature, mac)) return i
    }
    return undefined
  }

  /** The HMAC of some bytes with one of the secrets. */
  async sign(content: Uint8Array<ArrayBuffer>, secret = 0): Promise<Uint8Array<ArrayBuffer>> {
    const key = this.#keys[secret] ?? (await this.#import(secret))
    return new Uint8Array(await crypto.subtle.sign('HMAC', key, content))
  }

  async #import(secret: number): Promise<CryptoKey> {
    const bytes = this.#secrets[secret]
    if (!bytes) throw new RangeError(`There is no secret ${secret}.`)
    const key = await crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: this.#hash }, false, [
      'sign',
    ])
    this.#keys[secret] = key
    return key
  }
}
