import * as v from 'valibot'
import { networkList } from '../networks-option.ts'
import { normaliseFingerprint } from './certificate.ts'

const text = v.pipe(
  v.string(),
  v.minLength(1, 'It must not be empty.'),
  v.maxLength(2048, 'It must have at most 2,048 characters.'),
)
const list = v.optional(
  v.pipe(v.array(text), v.minLength(1, 'The list must not be empty.'), v.maxLength(10_000)),
)
const fingerprint = v.pipe(
  v.string(),
  v.check(
    value => /^(?:[0-9a-f]{64}|[0-9a-f]{40})$/.test(normaliseFingerprint(value)),
    'It must be a fingerprint: 64 hex digits (SHA-256) or, for nginx, 40 (SHA-1); colons may stand between.',
  ),
)
const header = (fallback: string) =>
  v.optional(
    v.pipe(
      v.string(),
      v.toLowerCase(),
      v.regex(/^[\w!#$%&'*+.^`|~-]{1,128}$/, 'It must be the name of a header.'),
    ),
    fallback,
  )

/** What may be written of the policy. */
export const options = v.pipe(
  v.strictObject({
    from: v.pipe(
      v.optional(v.picklist(['cloudflare', 'envoy', 'nginx']), 'cloudflare'),
      v.description(
        'Who ends the TLS connection and tells of the certificate: Cloudflare in `request.cf`, Envoy in `X-Forwarded-Client-Cert`, nginx in headers of its configuration.',
      ),
    ),
    trusted: v.pipe(
      v.optional(networkList, []),
      v.description(
        'Addresses and networks of those proxies; headers from others are not believed, and taken out.',
      ),
    ),
    headers: v.pipe(
      v.optional(
        v.strictObject({
          verify: v.pipe(
            header('ssl-client-verify'),
            v.description('Whether the certificate was verified: `$ssl_client_verify`.'),
          ),
          subject: v.pipe(header('ssl-client-s-dn'), v.description('Its subject: `$ssl_client_s_dn`.')),
          issuer: v.pipe(header('ssl-client-i-dn'), v.description('Its issuer: `$ssl_client_i_dn`.')),
          fingerprint: v.pipe(
            header('ssl-client-fingerprint'),
            v.description('Its fingerprint: `$ssl_client_fingerprint`.'),
          ),
        }),
        {},
      ),
      v.description('The headers of nginx: `verify`, `subject`, `issuer`, `fingerprint`.'),
    ),
    fingerprints: v.pipe(
      v.optional(
        v.pipe(v.array(fingerprint), v.minLength(1, 'The list must not be empty.'), v.maxLength(10_000)),
      ),
      v.description('Certificates that may call, by fingerprint.'),
    ),
    subjects: v.pipe(
      list,
      v.description('Subjects that may call, as RFC 2253 writes them: `CN=orders,O=Example`.'),
    ),
    issuers: v.pipe(list, v.description('Issuers whose certificates may call. Envoy does not tell them.')),
    uris: v.pipe(
      list,
      v.description(
        'URIs among the alternative names of which one is needed: `spiffe://…`. Told by Envoy only.',
      ),
    ),
  }),
  v.check(
    ({ from, trusted }) => from === 'cloudflare' || trusted.length > 0,
    'It needs "trusted", the networks of the proxy: anybody else could send the headers too.',
  ),
  v.check(
    ({ from, issuers }) => from !== 'envoy' || issuers === undefined,
    '"issuers" is of no use with Envoy, which does not tell the issuer.',
  ),
  v.check(
    ({ from, uris }) => from === 'envoy' || uris === undefined,
    '"uris" is of use with Envoy only: others do not tell alternative names.',
  ),
)

/** The same, checked. */
export type MtlsOptions = v.InferOutput<typeof options>
