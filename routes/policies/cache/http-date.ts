/**
 * Milliseconds since the epoch of a date in one of HTTP's three forms (RFC 9110 §5.6.7); `undefined` for all else.
 *
 * Strict: what is not exactly a date makes a response stale (RFC 9111 §5.3), so nothing is guessed. Only the case of
 * letters is free. The day of the week isn't held against the date.
 */
export function parseHttpDate(text: string | null | undefined, nowMs: number): number | undefined {
  if (!text || text.length < 24 || text.length > 33) return undefined
  const lower = text.toLowerCase()
  const imf = IMF.exec(lower)
  if (imf) return toMs(Number(imf[3]), imf[2], imf[1], imf[4])
  const asctime = ASCTIME.exec(lower)
  if (asctime) return toMs(Number(asctime[4]), asctime[1], asctime[2], asctime[3])
  const rfc850 = RFC_850.exec(lower)
  if (rfc850) return toMs(fullYear(Number(rfc850[3]), nowMs), rfc850[2], rfc850[1], rfc850[4])
  return undefined
}

/** As `Date` fields have it. */
export function toHttpDate(ms: number): string {
  return new Date(ms).toUTCString()
}

/** A year of two digits that seems more than 50 years ahead is the last one in the past with these digits. */
function fullYear(digits: number, nowMs: number): number {
  const now = new Date(nowMs).getUTCFullYear()
  const year = now - (now % 100) + digits
  return year > now + 50 ? year - 100 : year
}

function toMs(year: number, month = '', day = '', time = ''): number | undefined {
  const monthIndex = MONTHS.indexOf(month)
  const [hours = 0, minutes = 0, seconds = 0] = time.split(':').map(Number)
  if (monthIndex < 0 || hours > 23 || minutes > 59 || seconds > 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(year, monthIndex, Number(day))
  if (date.getUTCMonth() !== monthIndex) return undefined
  return date.setUTCHours(hours, minutes, seconds, 0)
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec']

// Sun, 06 Nov 1994 08:49:37 GMT
const IMF = /^(?:mon|tue|wed|thu|fri|sat|sun), (\d\d) ([a-z]{3}) (\d{4}) (\d\d:\d\d:\d\d) gmt$/
// Sunday, 06-Nov-94 08:49:37 GMT
const RFC_850 = /^(?:mon|tues|wednes|thurs|fri|satur|sun)day, (\d\d)-([a-z]{3})-(\d\d) (\d\d:\d\d:\d\d) gmt$/
// Sun Nov  6 08:49:37 1994
const ASCTIME = /^(?:mon|tue|wed|thu|fri|sat|sun) ([a-z]{3}) ([ \d]\d) (\d\d:\d\d:\d\d) (\d{4})$/
