import { addBase, stripBase } from './base-path.ts'
import type { RedirectTarget } from './document.ts'
import { findIntent, type Intent } from './html.ts'
import { fillIn, type Groups, matchPattern } from './pattern.ts'
import type { Action, HeaderEdit, Plan, Site } from './site.ts'

/**
 * What a path gives, from memory where it was asked for before.
 *
 * @param url a request's, serialised
 * @param withFallback with `not_found_handling`; without it, what there really is
 */
export function planFor(site: Site, url: string, withFallback: boolean): Plan {
  const plans =
    withFallback && site.config.not_found_handling !== 'none' ? site.plans.whole : site.plans.found
  const key = keyOf(url, site.dependsOnHost)
  const known = plans.get(key)
  if (known) return known
  const plan = makePlan(site, new URL(url), plans === site.plans.whole)
  // What isn't there can be asked for without end.
  if (plan.kind !== 'file' && plans.size >= MAX_PLANS / 2) return plan
  if (plans.size >= MAX_PLANS) plans.clear()
  plans.set(key, plan)
  return plan
}

const MAX_PLANS = 4096

/** The path as it came; `new URL` costs more than all the rest. */
function keyOf(url: string, withHost: boolean): string {
  const hostAt = url.indexOf('://') + 3
  const pathAt = url.indexOf('/', hostAt)
  const query = url.indexOf('?', hostAt)
  const hash = url.indexOf('#', hostAt)
  const end = Math.min(query < 0 ? url.length : query, hash < 0 ? url.length : hash)
  return url.slice(withHost || pathAt < 0 ? 0 : pathAt, end)
}

function makePlan(site: Site, url: URL, withFallback: boolean): Plan {
  // Outside of its base path nothing of the site applies.
  if (stripBase(decodePath(url.pathname), site.config.base_path) === undefined) {
    return { kind: 'none', isClaimed: false, edits: [] }
  }
  return { ...findAction(site, url, withFallback), edits: findEdits(site, url) }
}

function findAction(site: Site, url: URL, withFallback: boolean): Action {
  const { base_path: base, html_handling: html, not_found_handling: notFound } = site.config
  const target = findRedirect(site, url.pathname)
  if (target && target.status !== 200) return { kind: 'moved', target }
  const pathname = target ? new URL(target.to, url).pathname : url.pathname
  const decoded = decodePath(pathname)
  const path = stripBase(decoded, base)
  const intent =
    (target ? undefined : findRoot(site, decoded)) ??
    (path === undefined ? undefined : findIntent(path, html, withFallback ? notFound : 'none', site.find))
  if (!intent) return { kind: 'none', isClaimed: target !== undefined }
  const spelling = encodePath('redirect' in intent ? addBase(intent.redirect, base) : decoded)
  if ('redirect' in intent || spelling !== pathname) return { kind: 'respelt', path: spelling }
  return { kind: 'file', ...intent }
}

/** The base path itself, spelt with the slash that `html_handling` wants it to end with, or without. */
function findRoot({ config, find }: Site, decoded: string): Intent | undefined {
  const { base_path: base, html_handling: html } = config
  if (base === '/' || html === 'none' || !find('/index.html')) return undefined
  const isDropped = html === 'drop-trailing-slash'
  if (decoded !== (isDropped ? base : base.slice(0, -1))) return undefined
  return { redirect: isDropped ? '' : '/' }
}

function findRedirect({ fixedRedirects, redirects }: Site, pathname: string): RedirectTarget | undefined {
  const fixed = fixedRedirects.get(pathname)
  if (fixed) return fixed
  for (const { pattern, rule } of redirects) {
    const groups = matchPattern(pattern, pathname)
    if (groups) return { to: fillInTarget(rule.to, groups), status: rule.status }
  }
  return undefined
}

/** What a placeholder stands for can't make a path of this site a path of another: slashes are run together. */
function fillInTarget(to: string, groups: Groups): string {
  const filled = fillIn(to, groups).trim()
  if (/^(?:\w+:\/\/|\/\/[^/\\\s?#])/.test(to.trim())) return filled
  const end = filled.search(/[?#]/)
  const path = end < 0 ? filled : filled.slice(0, end)
  return path.replace(/[/\\]+/g, '/') + filled.slice(path.length)
}

function findEdits({ headers }: Site, url: URL): HeaderEdit[] {
  return headers.flatMap(({ pattern, rule }) => {
    const { hostname, pathname } = url
    const groups = matchPattern(pattern, pattern.isAbsolute ? `https://${hostname}${pathname}` : pathname)
    if (!groups) return []
    return [
      { set: rule.set.map(([name, value]) => [name, fillIn(value, groups)] as const), unset: rule.unset },
    ]
  })
}

/** Each part by itself, and as it is where that fails; several slashes are one. */
function decodePath(pathname: string): string {
  const parts = pathname.split('/').map(part => {
    if (!part.includes('%')) return part
    try {
      return decodeURIComponent(part)
    } catch {
      return part
    }
  })
  return parts.join('/').replace(/\/{2,}/g, '/')
}

function encodePath(path: string): string {
  const parts = path.split('/').map(part => {
    try {
      return encodeURIComponent(part)
    } catch {
      return part
    }
  })
  return parts.join('/')
}
