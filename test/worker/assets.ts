import { serveAssets } from '../../src/assets.ts'
import type { EdgeEnv } from '../../src/env.ts'

/** What the code store has: texts by key, and files' bytes in base64. */
interface Stored {
  readonly documents: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, string>>
}

/**
 * The static files of the site that the header `x-site` names, and after them a Worker that says so. `x-code: 1`:
 * bodies may be coded. `x-site` is a key of the documents.
 */
export default {
  async fetch(request: Request, env: { readonly STORED: Stored }): Promise<Response> {
    const site = request.headers.get('x-site') ?? ''
    const mayCode = request.headers.get('x-code') === '1'
    const served = await serveAssets(request, site, { CODE: storeOf(env.STORED) } as EdgeEnv, mayCode)
    const answer =
      request.method === 'HEAD' ? null : `worker: ${request.method} ${new URL(request.url).pathname}`
    return served ?? new Response(answer)
  },
}

function storeOf({ documents, files }: Stored): KVNamespace {
  const get = async (key: string, type = 'text') => {
    if (type === 'text') return documents[key] ?? null
    const file = files[key]
    if (file === undefined) return null
    const bytes = Uint8Array.fromBase64(file)
    return type === 'stream' ? new Response(bytes).body : bytes.buffer
  }
  return { get } as unknown as KVNamespace
}
