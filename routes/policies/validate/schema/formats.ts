import ipaddr from 'ipaddr.js'

/** Of texts that hold content rather than a name. */
const MAX_CONTENT_CHARS = 16_777_216

/** A `format` that is checked. */
export interface Format {
  /** To be put after "must be". */
  readonly words: string
  /** Values of types that it isn't for are right. */
  isRight(value: unknown): boolean
}

/** Formats by name; others count as notes. Each takes time in proportion to the text, or refuses long ones at once. */
export const FORMATS: Readonly<Record<string, Format>> = {
  date: text('a date such as 2026-11-21', isDate),
  'date-time': text('a time such as 2026-11-21T12:00:00Z', isDateTime),
  time: text('a time such as 12:00:00Z', isTime),
  duration: text('a duration such as P1DT2H', value => DURATION.test(value)),
  email: text('an email address', isEmail),
  hostname: text('a host name', isHostname),
  ipv4: text('an IPv4 address', isIpv4),
  ipv6: text('an IPv6 address', isIpv6),
  uri: text('a URI with its scheme', value => isReference(value) && SCHEME.test(value)),
  'uri-reference': text('a URI', isReference),
  uuid: text('a UUID', value => UUID.test(value)),
  'json-pointer': text('a JSON pointer', value => /^(?:\/(?:[^~/]|~[01])*)*$/.test(value), MAX_CONTENT_CHARS),
  regex: text('a regular expression', isExpression),
  byte: text(
    'Base64',
    value => value.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(value),
    MAX_CONTENT_CHARS,
  ),
  int32: number('a whole number of 32 bits', value => value === (value | 0)),
  int64: number('a whole number of 64 bits', value => Number.isInteger(value) && Math.abs(value) <= 2 ** 63),
}

function text(words: string, isRight: (value: string) => boolean, maxChars = 2048): Format {
  return {
    words,
    isRight: value => typeof value !== 'string' || (value.length <= maxChars && isRight(value)),
  }
}

function number(words: string, isRight: (value: number) => boolean): Format {
  return { words, isRight: value => typeof value !== 'number' || isRight(value) }
}

const DATE = /^(\d{4})-(\d\d)-(\d\d)$/
const TIME = /^(\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:z|([+-])(\d\d):(\d\d))$/i
const DURATION =
  /^P(?:\d+W|(?=\d|T\d)(?:(?:\d+Y(?:\d+M(?:\d+D)?)?|\d+M(?:\d+D)?|\d+D))?(?:T(?:\d+H(?:\d+M(?:\d+S)?)?|\d+M(?:\d+S)?|\d+S))?)$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i
const IPV4 = /^(?:0|[1-9]\d{0,2})(?:\.(?:0|[1-9]\d{0,2})){3}$/
const USER = String.raw`(?:[\w.~!$&'()*+,;=:-]|%[0-9a-f]{2})*@`
const HOST = String.raw`(?:\[[0-9a-f:.]+\]|(?:[\w.~!$&'()*+,;=-]|%[0-9a-f]{2})*)(?::\d*)?`
const PATH = String.raw`(?:[\w.~!$&'()*+,;=:@/-]|%[0-9a-f]{2})*`
const REST = String.raw`(?:[\w.~!$&'()*+,;=:@/?-]|%[0-9a-f]{2})*`
const REFERENCE = new RegExp(
  `^(?:([a-z][a-z0-9+.-]*):)?(?://((?:${USER})?${HOST})(?=[/?#]|$))?(${PATH})(?:\\?${REST})?(?:#${REST})?$`,
  'i',
)
const SCHEME = /^[a-z][a-z0-9+.-]*:/i

function isDate(value: string): boolean {
  const [, year, month, day] = DATE.exec(value) ?? []
  if (day === undefined) return false
  const date = new Date(0)
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day))
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day)
}

function isTime(value: string): boolean {
  const [, hour, minute, second, sign, offsetHour = '0', offsetMinute = '0'] = TIME.exec(value) ?? []
  if (second === undefined) return false
  const [h, m, s, oh, om] = [hour, minute, second, offsetHour, offsetMinute].map(Number) as Five
  if (h > 23 || m > 59 || oh > 23 || om > 59) return false
  if (s < 60) return true
  // Leap seconds are at the end of a day of UTC.
  const offset = (oh * 60 + om) * (sign === '-' ? -1 : 1)
  return s === 60 && (((h * 60 + m - offset) % 1440) + 1440) % 1440 === 1439
}

type Five = [number, number, number, number, number]

function isDateTime(value: string): boolean {
  return /^[Tt]$/.test(value.charAt(10)) && isDate(value.slice(0, 10)) && isTime(value.slice(11))
}

/** `name@host`, as mail servers take it; quoted names and comments aren't. */
function isEmail(value: string): boolean {
  const at = value.lastIndexOf('@')
  const [name, host] = [value.slice(0, at), value.slice(at + 1)]
  if (at < 1 || name.length > 64) return false
  if (!/^[a-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*$/i.test(name)) return false
  return isHostname(host)
}

function isHostname(value: string): boolean {
  if (value.length > 253) return false
  return value.split('.').every(label => /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i.test(label))
}

function isIpv4(value: string): boolean {
  return IPV4.test(value) && value.split('.').every(part => Number(part) <= 255)
}

function isIpv6(value: string): boolean {
  const last = value.slice(value.lastIndexOf(':') + 1)
  if (last.includes('.') && !isIpv4(last)) return false
  return /^[0-9a-f:.]+$/i.test(value) && ipaddr.IPv6.isValid(value)
}

/** RFC 3986, section 4.1. */
function isReference(value: string): boolean {
  const [whole, scheme, authority, path = ''] = REFERENCE.exec(value) ?? []
  if (whole === undefined || (authority === undefined && path.startsWith('//'))) return false
  const [, literal] = /\[(.*)\]/.exec(authority ?? '') ?? []
  if (literal !== undefined && !isIpv6(literal)) return false
  // A colon in the first segment would make a scheme of it.
  return scheme !== undefined || authority !== undefined || !/^[^/]*:/.test(path)
}

function isExpression(value: string): boolean {
  try {
    return Boolean(new RegExp(value, 'u'))
  } catch {
    return false
  }
}
