/** What wrangler.toml binds; `wrangler types` makes such a file too. */
declare namespace Cloudflare {
  interface Env {
    readonly ISSUER: string
    readonly INTROSPECTION_ENDPOINT: string
    readonly LOGIN_ISSUER: string
    readonly UPSTREAM: string
    readonly SHADOW: string
    readonly ANNS_PASSWORD: string
    readonly CLIENT_SECRET: string
    readonly SESSION_SECRET: string
    readonly WEBHOOK_SECRET: string
    readonly SHARED: DurableObjectNamespace<import('./shared').Shared>
  }
}
