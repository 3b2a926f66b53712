import type { HtmlHandling } from '../../src/core/manifest.ts'
import { REDIRECT_STATUSES, type RedirectRule, type RedirectTarget, type SiteConfig } from './document.ts'
import { checkPlaceholders, type LineProblem, MAX_LINE_CHARS, type ParsedFile } from './headers-file.ts'
import { namesHost, parseRuleUrl } from './rule-url.ts'

/** Cloudflare's bounds. */
const MAX_FIXED_REDIRECTS = 2000
const MAX_REDIRECT_RULES = 100

/**
 * Reads `_redirects`: lines `<from> <to> [status]`, where 302 is the default and 200 serves `to` in place.
 *
 * A source that comes twice counts once, as first written. What has no placeholder and comes before any that has
 * is looked up at once; the rest is tried in its order.
 *
 * @see https://developers.cloudflare.com/workers/static-assets/redirects/
 */
export function parseRedirectsFile(text: string, html: HtmlHandling): ParsedFile<SiteConfig['redirects']> {
  const problems: LineProblem[] = []
  const fixed = new Map<string, RedirectTarget>()
  const rules = new Map<string, RedirectRule>()
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.trim()
    if (line === '' || line.startsWith('#')) continue
    const parsed = parseLine(line, html)
    if (typeof parsed === 'string') {
      problems.push({ line: index + 1, message: parsed })
      continue
    }
    const { from, to, status } = parsed
    if (fixed.has(from) || rules.has(from)) continue
    const isFixed = rules.size === 0 && !/\*|:[A-Za-z]/.test(from)
    if (isFixed) fixed.set(from, { to, status })
    else rules.set(from, { pattern: from, to, status })
    const { kind, size, most } = isFixed
      ? { kind: 'static', size: fixed.size, most: MAX_FIXED_REDIRECTS }
      : { kind: 'dynamic', size: rules.size, most: MAX_REDIRECT_RULES }
    if (size > most) {
      const message = `Maximum number of ${kind} _redirects rules limit of ${most} exceeded`
      problems.push({ line: index + 1, message })
      break
    }
  }
  return { rules: { fixed: [...fixed], rules: [...rules.values()] }, problems }
}

interface Line extends RedirectTarget {
  readonly from: string
}

function parseLine(line: string, html: HtmlHandling): Line | string {
  if (line.length > MAX_LINE_CHARS)
    return `Exceeds the maximum allowed length of ${MAX_LINE_CHARS} characters`
  const tokens = line.replace(/\s+#.*$/, '').split(/\s+/)
  const [source = '', target = '', statusText = '302'] = tokens
  if (tokens.length < 2 || tokens.length > 3) {
    return `Expected exactly 2 or 3 whitespace-separated tokens. Got ${tokens.length}.`
  }
  const from = parseRuleUrl(source, { onlyPaths: true, noPorts: true })
  if ('problem' in from) return from.problem
  const to = parseRuleUrl(target, { whole: true })
  if ('problem' in to) return to.problem
  const status = REDIRECT_STATUSES.find(known => known === Number(statusText))
  if (status === undefined) {
    return `Valid status codes are 200, 301, 302 (default), 303, 307, or 308. Got ${statusText}.`
  }
  if (!namesHost(to.url) && isLoop(from.url, to.url, html)) {
    return 'Infinite loop detected in this rule. This would cause a redirect to strip `.html` or `/index` and end up triggering this rule again.'
  }
  if (status === 200 && namesHost(to.url)) {
    return `Proxy (200) redirects can only point to relative paths. Got ${to.url}`
  }
  return checkPlaceholders(from.url) ?? { from: from.url, to: to.url, status }
}

/** What ends in `/index` is redirected to its directory, which the rule would take again. */
function isLoop(from: string, to: string, html: HtmlHandling): boolean {
  if (!/\/index(.html)?$/.test(to)) return false
  return from.endsWith('/*') || (from.endsWith('/') && html !== 'none')
}
