import type { IncomingMessage, ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { FakeProvider } from '../../policies/fake-provider.ts'
import { makeSigner, type Signer } from '../../policies/jwt-support.ts'
import { type Origin, startOrigin } from '../../support/origin.ts'

/** A fake identity provider on a port of loopback: an API's, whose keys can be changed, and a website's. */
export interface FakeIdentityProvider {
  /** Whose tokens `sign` makes. Its metadata are where discovery looks for them, its keys at `<issuer>/keys`. */
  readonly issuer: string
  /** What people log in at: its issuer is `<issuer>/realm`. */
  readonly people: FakeProvider
  /** What it was asked, as `GET /keys`, in the order in which it came. */
  readonly asked: string[]
  /** The keys that it publishes; the first one signs. */
  keys: readonly Signer[]
  /** Holds its answers back until the promise is settled. */
  heldBy: Promise<unknown> | undefined
  /** Answers everything with 503. */
  isDown: boolean
  /** A token for `orders` that is good for ten minutes. */
  sign(claims?: Readonly<Record<string, unknown>>, signer?: Signer): Promise<string>
  stop(): Promise<void>
}

/** Starts one. `people` is asked by its own methods where a person would act, by HTTP for the rest. */
export async function startIdentityProvider(): Promise<FakeIdentityProvider> {
  const origin: Origin = await startOrigin((request, response) => {
    void answer(request, response).catch(() => response.destroy())
  })
  const { url: issuer } = origin
  const people = new FakeProvider(Date.now, `${issuer}/realm`)
  const provider: FakeIdentityProvider = {
    ...{ issuer, people, asked: [], heldBy: undefined, isDown: false },
    keys: [await makeSigner('first')],
    sign: (claims, signer = provider.keys[0] as Signer) => {
      const now = Math.floor(Date.now() / 1000)
      return signer.sign({ iss: issuer, aud: 'orders', iat: now, exp: now + 600, ...claims })
    },
    stop: () => origin.stop(),
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request
    const { pathname } = new URL(url, issuer)
    provider.asked.push(`${method} ${pathname}`)
    const body = await text(request)
    await provider.heldBy
    const answered = provider.isDown
      ? new Response('', { status: 503 })
      : await decide(request, pathname, body)
    response.writeHead(answered.status, Object.fromEntries(answered.headers))
    response.end(await answered.text())
  }

  async function decide({ method = 'GET', url, headers }: IncomingMessage, pathname: string, body: string) {
    switch (pathname) {
      case '/.well-known/openid-configuration':
        return Response.json({ issuer, jwks_uri: `${issuer}/keys` })
      case '/keys':
        return Response.json({ keys: provider.keys.map(({ publicJwk }) => publicJwk) })
      // Whatever is a word is an active token, of whom it names.
      case '/introspect':
        return Response.json({ active: true, sub: new URLSearchParams(body).get('token') })
      // Here a person would log in; this one always does.
      case '/realm/authorize':
        return Response.redirect(
          people.authorize(new URL(url ?? '', issuer).href, { sub: 'ann', roles: ['buyer'] }),
        )
      case '/realm/logout':
        return Response.redirect(
          new URL(url ?? '', issuer).searchParams.get('post_logout_redirect_uri') ?? issuer,
        )
      default: {
        const init = { method, headers: headers as Record<string, string>, ...(body && { body }) }
        return people.fetch(new URL(pathname, issuer).href, init)
      }
    }
  }

  return provider
}
