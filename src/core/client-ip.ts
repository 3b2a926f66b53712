/**
 * The address of a request's client.
 *
 * Stock workerd tells it as `cf.clientIp` ("address:port"), Cloudflare in a header. Where neither is known, as
 * under `wrangler dev`, only loopback reaches the platform.
 *
 * @param header the value of `CF-Connecting-IP`; believed only where workerd tells nothing, for clients can send it
 */
export function clientIpOf(cf: unknown, header?: string | null): string {
  const peer = (cf as { clientIp?: unknown } | null | undefined)?.clientIp
  if (typeof peer !== 'string' || peer === '') return header || '127.0.0.1'
  const [, bracketed, plain] = /^\[(.+)\](?::\d+)?$|^([^:]+)(?::\d+)?$/.exec(peer) ?? []
  return (bracketed ?? plain ?? peer).replace(/^::ffff:(?=\d+\.)/, '')
}
