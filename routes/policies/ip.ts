import * as v from 'valibot'
import { clientAddress } from '../../src/core/client-address.ts'
import { clientIpOf } from '../../src/core/client-ip.ts'
import { NetworkSet, parseAddress } from '../../src/core/networks.ts'
import type { Exchange } from './exchange.ts'
import { networkList } from './networks-option.ts'
import { definePolicy, type Phase, type Verdict } from './policy.ts'

const options = v.pipe(
  v.strictObject({
    allow: v.pipe(
      v.optional(networkList),
      v.description('Addresses and networks that may call; given, all others may not.'),
    ),
    deny: v.pipe(
      v.optional(networkList, []),
      v.description('Addresses and networks that may not call, even if `allow` has them.'),
    ),
    trusted_proxies: v.pipe(
      v.optional(networkList, []),
      v.description(
        'Proxies in front whose word on the client’s address is believed, for Workers without the platform. In a gateway file the top level’s `trusted_proxies` does that for all policies.',
      ),
    ),
    forwarded: v.pipe(
      v.optional(v.picklist(['auto', 'x-forwarded-for', 'forwarded']), 'auto'),
      v.description(
        'The header in which those proxies tell it; `auto`: `X-Forwarded-For`, or `Forwarded` if only that is there.',
      ),
    ),
  }),
  v.check(
    ({ allow, deny }) => allow !== undefined || deny.length > 0,
    'It needs "allow" or "deny": without both it would do nothing.',
  ),
)

type IpOptions = v.InferOutput<typeof options>

/** Lets callers pass or not by their address. */
export const ipPolicy = definePolicy({
  type: 'ip',
  summary: 'Lets callers pass, or refuses them, by their IP address.',
  options,
  create: options => new IpPhase(options),
})

class IpPhase implements Phase {
  readonly #allow: NetworkSet | undefined
  readonly #deny: NetworkSet
  readonly #proxies: NetworkSet
  readonly #source: IpOptions['forwarded']

  constructor({ allow, deny, trusted_proxies, forwarded }: IpOptions) {
    this.#allow = allow && new NetworkSet(allow)
    this.#deny = new NetworkSet(deny)
    this.#proxies = new NetworkSet(trusted_proxies)
    this.#source = forwarded
  }

  request(exchange: Exchange): Verdict {
    if (!this.#proxies.isEmpty) exchange.clientIp = this.#askProxies(exchange)
    const ip = exchange.clientIp
    const key = parseAddress(ip)
    // Who can't be told from those that are denied is denied.
    if (key === undefined) return refuse(exchange, ip, 'The address of the client is not known.')
    if (this.#deny.hasKey(key)) return refuse(exchange, ip, 'The address is denied.')
    if (this.#allow && !this.#allow.hasKey(key)) return refuse(exchange, ip, 'The address is not allowed.')
    exchange.trace?.note('The address may call.', { ip })
    return undefined
  }

  #askProxies({ request }: Exchange): string {
    const { headers, cf } = request
    const peer = clientIpOf(cf, headers.get('cf-connecting-ip'))
    const told = { xForwardedFor: headers.get('x-forwarded-for'), forwarded: headers.get('forwarded') }
    return clientAddress(peer, this.#proxies, told, this.#source)
  }
}

function refuse(exchange: Exchange, ip: string, finding: string): Response {
  exchange.trace?.note(finding, { ip })
  return exchange.refuse('ERR_IP_REFUSED', `The address ${ip} may not call this.`)
}
