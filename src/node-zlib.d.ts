/** What the Worker uses of Node's API, which workerd has: the rest of its types would bring Node's globals along. */
declare module 'node:zlib' {
  /** Parameters by brotli's numbers. */
  export function brotliCompressSync(
    data: Uint8Array,
    options: { readonly params: Readonly<Record<number, number>> },
  ): Uint8Array<ArrayBuffer>
  export function gzipSync(data: Uint8Array): Uint8Array<ArrayBuffer>
}
