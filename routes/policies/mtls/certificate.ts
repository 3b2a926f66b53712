import { lastElementStart } from '../../../src/core/quoted-list.ts'

/** What is known of a client's certificate, as whoever ended the TLS connection tells it. */
export interface ClientCertificate {
  /** Whether it was verified against the authorities that are trusted there. */
  readonly isVerified: boolean
  /** SHA-256 (64) or, from nginx, SHA-1 (40): lower-case hex digits; empty if not told. */
  readonly fingerprint: string
  /** Distinguished name as RFC 2253 has it; empty if not told. */
  readonly subject: string
  readonly issuer: string
  readonly serial: string
  /** Subject alternative names. */
  readonly uris: readonly string[]
  readonly dnsNames: readonly string[]
}

/** A fingerprint as it is compared: hex digits in lower case, without colons and spaces. */
export function normaliseFingerprint(text: string): string {
  return text
    .replace(/^sha(?:1|256)[:=]/i, '')
    .replace(/[:\s]/g, '')
    .toLowerCase()
}

/**
 * A distinguished name as it is compared: RFC 2253 without spaces around separators, types of attributes in upper
 * case. The order of its parts counts, and so does the case of values.
 */
export function normaliseName(text: string): string {
  return splitUnescaped(text, /[,;]/)
    .map(part => {
      const equals = part.indexOf('=')
      if (equals < 0) return part.trim()
      return `${part.slice(0, equals).trim().toUpperCase()}=${part.slice(equals + 1).trim()}`
    })
    .join(',')
}

/** The parts of a text between separators that are neither quoted nor escaped by a backslash. */
function splitUnescaped(text: string, separator: RegExp): string[] {
  const parts: string[] = []
  let part = ''
  let isQuoted = false
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i)
    if (character === '\\') part += character + text.charAt(++i)
    else if (character === '"') {
      isQuoted = !isQuoted
      part += character
    } else if (!isQuoted && separator.test(character)) {
      parts.push(part)
      part = ''
    } else part += character
  }
  parts.push(part)
  return parts
}

/** The certificate of `request.cf.tlsClientAuth`, as Cloudflare tells it; `undefined` if none was presented. */
export function fromCloudflare(cf: unknown): ClientCertificate | undefined {
  const told = (cf as { tlsClientAuth?: Record<string, unknown> } | null | undefined)?.tlsClientAuth
  if (told?.certPresented !== '1') return undefined
  const text = (name: string) => (typeof told[name] === 'string' ? (told[name] as string) : '')
  return {
    isVerified: told.certVerified === 'SUCCESS' && told.certRevoked !== '1',
    fingerprint: normaliseFingerprint(text('certFingerprintSHA256')),
    subject: text('certSubjectDNRFC2253'),
    issuer: text('certIssuerDNRFC2253'),
    serial: text('certSerial'),
    uris: [],
    dnsNames: [],
  }
}

/** The headers in which nginx is told to say what it knows (`proxy_set_header ssl-client-verify $ssl_client_verify`). */
export interface NginxHeaders {
  readonly verify: string
  readonly subject: string
  readonly issuer: string
  readonly fingerprint: string
}

/** The certificate that nginx tells of; `undefined` if none was presented. */
export function fromNginx(headers: Headers, names: NginxHeaders): ClientCertificate | undefined {
  const verify = headers.get(names.verify)
  if (verify === null || verify === '' || verify === 'NONE') return undefined
  return {
    isVerified: verify === 'SUCCESS',
    fingerprint: normaliseFingerprint(headers.get(names.fingerprint) ?? ''),
    subject: headers.get(names.subject) ?? '',
    issuer: headers.get(names.issuer) ?? '',
    serial: '',
    uris: [],
    dnsNames: [],
  }
}

/**
 * The certificate that Envoy tells of in `X-Forwarded-Client-Cert`; `undefined` if none was presented.
 *
 * Of several elements the last one counts: it is of who was connected to the proxy that we trust, while the others
 * are what that one had been told. Envoy passes on verified certificates only. What can't be read is a certificate
 * that is not verified.
 */
export function fromEnvoy(header: string | null): ClientCertificate | undefined {
  if (header === null || header.trim() === '') return undefined
  const start = lastElementStart(header)
  if (start === undefined) return UNREADABLE
  const element = header.slice(start)
  const values = new Map<string, string[]>()
  for (const pair of splitUnescaped(element, /;/)) {
    const equals = pair.indexOf('=')
    const key = pair.slice(0, Math.max(0, equals)).trim().toLowerCase()
    if (!XFCC_KEYS.has(key)) return UNREADABLE
    values.set(key, [...(values.get(key) ?? []), unquote(pair.slice(equals + 1).trim())])
  }
  const first = (key: string) => values.get(key)?.[0] ?? ''
  // It says of itself what it is at most once; a second subject or hash is nobody's.
  if (['hash', 'subject'].some(key => (values.get(key)?.length ?? 0) > 1)) return UNREADABLE
  const fingerprint = normaliseFingerprint(first('hash'))
  return {
    isVerified: fingerprint !== '' || first('subject') !== '' || values.has('uri'),
    fingerprint,
    subject: first('subject'),
    issuer: '',
    serial: '',
    uris: (values.get('uri') ?? []).filter(Boolean),
    dnsNames: (values.get('dns') ?? []).filter(Boolean),
  }
}

function unquote(text: string): string {
  if (!(text.length >= 2 && text.startsWith('"') && text.endsWith('"'))) return text
  return text.slice(1, -1).replace(/\\(["\\])/g, '$1')
}

const XFCC_KEYS = new Set(['by', 'hash', 'cert', 'chain', 'subject', 'uri', 'dns'])

const UNREADABLE: ClientCertificate = {
  isVerified: false,
  fingerprint: '',
  subject: '',
  issuer: '',
  serial: '',
  uris: [],
  dnsNames: [],
}
