import type { Platform } from './client.ts'

/** Puts a gateway file in force, whatever there was; throws its issues if it isn't accepted. */
export async function applyGateway(platform: Platform, document: object): Promise<number> {
  const answer = await putGateway(platform, document)
  if (answer.status !== 200) throw new Error(`gateway: ${answer.status} ${JSON.stringify(answer.body)}`)
  return answer.body.revision
}

/** The same, for what may be refused. */
export function putGateway(
  platform: Platform,
  document: object,
  ifMatch = '*',
): Promise<{ status: number; body: { revision: number; code?: string } }> {
  return platform.v1('PUT', '$A/gateway', document, undefined, { 'if-match': ifMatch })
}

/** Sets a secret that a gateway file may refer to. */
export async function putGatewaySecret(platform: Platform, name: string, text: string): Promise<void> {
  const { status, body } = await platform.v1('PUT', `$A/gateway/secrets/${name}`, { text })
  if (status !== 200) throw new Error(`secret ${name}: ${status} ${JSON.stringify(body)}`)
}

/** Makes a script that tells what it sees of a request, as JSON. */
export async function uploadMirror(platform: Platform, script: string, metadata: object = {}): Promise<void> {
  await platform.upload(
    script,
    `export default {
       async fetch(request, env, ctx) {
         const headers = Object.fromEntries(request.headers)
         const body = request.body ? await request.text() : null
         return Response.json({ script: '${script}', method: request.method, url: request.url, headers, body, props: ctx.props })
       },
     }`,
    metadata,
  )
}

/** What such a script says. */
export interface Mirrored {
  readonly script: string
  readonly method: string
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  readonly props: { readonly identity?: { readonly subject: string; readonly type: string } }
}
