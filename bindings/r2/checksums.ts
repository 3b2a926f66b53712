import { toHex } from '../../src/core/ids.ts'
import type { Algorithm, Checksums } from './types.ts'

/** Digests that a writer can name, by the option's name: the algorithm's own name and its bytes. */
export const ALGORITHMS = {
  md5: { name: 'MD5', bytes: 16 },
  sha1: { name: 'SHA-1', bytes: 20 },
  sha256: { name: 'SHA-256', bytes: 32 },
  sha384: { name: 'SHA-384', bytes: 48 },
  sha512: { name: 'SHA-512', bytes: 64 },
} as const satisfies Record<Algorithm, { name: string; bytes: number }>

/** Bytes that are digested while they pass. */
export interface Hasher {
  write(chunk: Uint8Array): Promise<void>
  /** All of it, in hex. Call it once, after the last chunk. */
  digests(): Promise<Required<Pick<Checksums, 'md5'>> & Checksums>
  /** Gives up. */
  abort(): void
}

/** Digests a stream: always MD5, which is its etag, and what the writer named. */
export function createHasher(expected: Checksums): Hasher {
  const streams = wanted(expected).map(algorithm => {
    const stream = new crypto.DigestStream(ALGORITHMS[algorithm].name)
    // Whoever gives up has another error to tell.
    stream.digest.catch(() => {})
    return { algorithm, stream, writer: stream.getWriter() }
  })
  return {
    write: async chunk => {
      for (const { writer } of streams) await writer.write(chunk)
    },
    digests: async () => {
      const entries = streams.map(async ({ algorithm, stream, writer }) => {
        await writer.close()
        return [algorithm, toHex(new Uint8Array(await stream.digest))] as const
      })
      return Object.fromEntries(await Promise.all(entries)) as { md5: string }
    },
    abort: () => {
      for (const { writer } of streams) writer.abort().catch(() => {})
    },
  }
}

/** The same of bytes that are there. */
export async function digestBytes(
  bytes: Uint8Array,
  expected: Checksums,
): Promise<{ md5: string } & Checksums> {
  const entries = wanted(expected).map(async algorithm => {
    const digest = await crypto.subtle.digest(ALGORITHMS[algorithm].name, bytes as BufferSource)
    return [algorithm, toHex(new Uint8Array(digest))] as const
  })
  return Object.fromEntries(await Promise.all(entries)) as { md5: string }
}

/** Why bytes aren't those that were announced, in R2's words; `undefined` if they are. */
export function findMismatch(expected: Checksums, actual: Checksums): string | undefined {
  for (const [algorithm, { name }] of Object.entries(ALGORITHMS)) {
    const wanted = expected[algorithm as Algorithm]
    const found = actual[algorithm as Algorithm]
    if (wanted === undefined || wanted === found) continue
    return `The ${name} checksum you specified did not match what we received.
You provided a ${name} checksum with value: ${wanted}
Actual ${name} was: ${found}`
  }
  return undefined
}

/** The etag of an object in parts: the MD5 of its parts' MD5s, and how many there are. */
export async function toMultipartEtag(md5s: readonly string[]): Promise<string> {
  const bytes = Uint8Array.from(md5s.flatMap(fromHex))
  return `${toHex(new Uint8Array(await crypto.subtle.digest('MD5', bytes)))}-${md5s.length}`
}

function fromHex(hex: string): number[] {
  return (hex.match(/../g) ?? []).map(digits => Number.parseInt(digits, 16))
}

function wanted(expected: Checksums): Algorithm[] {
  return (Object.keys(ALGORITHMS) as Algorithm[]).filter(a => a === 'md5' || expected[a] !== undefined)
}
