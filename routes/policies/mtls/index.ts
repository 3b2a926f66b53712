import { clientIpOf } from '../../../src/core/client-ip.ts'
import { NetworkSet } from '../../../src/core/networks.ts'
import type { Exchange } from '../exchange.ts'
import { definePolicy, type Phase, type Verdict } from '../policy.ts'
import {
  type ClientCertificate,
  fromCloudflare,
  fromEnvoy,
  fromNginx,
  type NginxHeaders,
  normaliseFingerprint,
  normaliseName,
} from './certificate.ts'
import { type MtlsOptions, options } from './options.ts'

/** Lets clients with a certificate pass, which whoever ends the TLS connection has verified. */
export const mtlsPolicy = definePolicy({
  type: 'mtls',
  summary: 'Lets clients with a certificate pass, which Cloudflare or a proxy in front has verified.',
  options,
  create: (options, { name }) => new MtlsPhase(options, name),
})

class MtlsPhase implements Phase {
  readonly #name: string
  readonly #from: MtlsOptions['from']
  readonly #trusted: NetworkSet
  readonly #nginx: NginxHeaders
  /** Headers in which a certificate may be told: worthless from anybody but the proxy. */
  readonly #told: readonly string[]
  readonly #fingerprints: ReadonlySet<string> | undefined
  readonly #subjects: ReadonlySet<string> | undefined
  readonly #issuers: ReadonlySet<string> | undefined
  readonly #uris: ReadonlySet<string> | undefined

  constructor(options: MtlsOptions, name: string) {
    const { from, headers, fingerprints, subjects, issuers, uris } = options
    this.#name = name
    this.#from = from
    this.#trusted = new NetworkSet(options.trusted)
    this.#nginx = headers
    this.#told = from === 'cloudflare' ? [] : from === 'envoy' ? [XFCC] : Object.values(headers)
    this.#fingerprints = fingerprints && new Set(fingerprints.map(normaliseFingerprint))
    this.#subjects = subjects && new Set(subjects.map(normaliseName))
    this.#issuers = issuers && new Set(issuers.map(normaliseName))
    this.#uris = uris && new Set(uris)
  }

  /** Takes made-up headers out too: where `any-of` finds that this policy isn't the one, `request` isn't asked. */
  isPresented(exchange: Exchange): boolean {
    return this.#read(exchange) !== undefined
  }

  request(exchange: Exchange): Verdict {
    const certificate = this.#read(exchange)
    if (!certificate) {
      exchange.trace?.note('The client presented no certificate.', { from: this.#from })
      return exchange.refuse('ERR_CLIENT_CERT_MISSING', 'A client certificate is needed here.')
    }
    const problem = this.#problemOf(certificate)
    const { fingerprint, subject, issuer, serial, uris, dnsNames } = certificate
    if (problem) {
      exchange.trace?.note(problem, { fingerprint, subject, issuer, uris })
      return exchange.refuse('ERR_CLIENT_CERT_REFUSED', problem)
    }
    exchange.identity = {
      type: 'mtls',
      policy: this.#name,
      subject: subject || uris[0] || fingerprint,
      scopes: NONE,
      roles: NONE,
      claims: { fingerprint, issuer, serial, uris, dns_names: dnsNames },
    }
    exchange.trace?.note('The certificate was accepted.', { fingerprint, subject, issuer, uris })
    return undefined
  }

  #read(exchange: Exchange): ClientCertificate | undefined {
    const { cf, headers } = exchange.request
    if (this.#from === 'cloudflare') return fromCloudflare(cf)
    if (!this.#trusted.has(peerOf(cf))) {
      for (const name of this.#told) {
        if (!headers.has(name)) continue
        exchange.trace?.note('A header that only the proxy may send was taken out.', { header: name })
        exchange.requestHeaders.delete(name)
      }
      return undefined
    }
    return this.#from === 'envoy' ? fromEnvoy(headers.get(XFCC)) : fromNginx(headers, this.#nginx)
  }

  #problemOf({ isVerified, fingerprint, subject, issuer, uris }: ClientCertificate): string | undefined {
    if (!isVerified) return 'The client certificate was not verified.'
    if (this.#fingerprints && !this.#fingerprints.has(fingerprint)) {
      return 'The fingerprint of the client certificate is not allowed here.'
    }
    if (this.#subjects && !this.#subjects.has(normaliseName(subject))) {
      return 'The subject of the client certificate is not allowed here.'
    }
    if (this.#issuers && !this.#issuers.has(normaliseName(issuer))) {
      return 'The issuer of the client certificate is not allowed here.'
    }
    if (this.#uris && !uris.some(uri => this.#uris?.has(uri))) {
      return 'None of the names in the client certificate is allowed here.'
    }
    return undefined
  }
}

/** Who is connected to us. A header can't tell: where workerd doesn't either, nobody is trusted. */
function peerOf(cf: unknown): string {
  const { clientIp } = (cf ?? {}) as { clientIp?: unknown }
  return typeof clientIp === 'string' && clientIp !== '' ? clientIpOf(cf) : ''
}

const NONE: readonly string[] = []
const XFCC = 'x-forwarded-client-cert'
