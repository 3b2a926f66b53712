import { SkerryError } from '../../src/core/errors.ts'
import { WeighedCache } from '../../src/core/weighed-cache.ts'
import { repeatWhileAway } from '../../src/roles.ts'
import type {
  HeaderRule,
  RedirectRule,
  RedirectTarget,
  SiteConfig,
  SiteDocument,
  StoredFile,
} from './document.ts'
import type { Coding } from './files.ts'
import { type Pattern, parsePattern } from './pattern.ts'

/** A version's files as an edge holds them in memory. */
export interface Site {
  readonly config: SiteConfig
  readonly find: (path: string) => StoredFile | undefined
  readonly fixedRedirects: ReadonlyMap<string, RedirectTarget>
  readonly redirects: readonly Compiled<RedirectRule>[]
  readonly headers: readonly Compiled<HeaderRule>[]
  /** Some rule of `_headers` names a host: what a path gives depends on it. */
  readonly dependsOnHost: boolean
  /** What paths were found to give, with and without `not_found_handling`. */
  readonly plans: { readonly whole: Map<string, Plan>; readonly found: Map<string, Plan> }
}

/** A rule and its pattern, taken apart. */
export interface Compiled<Rule> {
  readonly pattern: Pattern
  readonly rule: Rule
}

/** What a path gives, whatever else the request says. */
export type Plan = Action & {
  /** What `_headers` does to the answer, in its order. */
  readonly edits: readonly HeaderEdit[]
  /** How a file's usual answers begin, by content coding, once they were made; without bodies. */
  beginnings?: Map<Coding | 'identity', Response>
}

/** What is done for a path. */
export type Action =
  /** A rule of `_redirects`: for any method. */
  | { readonly kind: 'moved'; readonly target: RedirectTarget }
  /** Another spelling of the path: percent-encoded, to which the query is added. */
  | { readonly kind: 'respelt'; readonly path: string }
  | { readonly kind: 'file'; readonly file: StoredFile; readonly status: 200 | 404 }
  /** No file. `isClaimed`: a rule of `_redirects` sent it there, so no Worker is asked. */
  | { readonly kind: 'none'; readonly isClaimed: boolean }

/** A header rule that applies: values have their placeholders filled in. */
export type HeaderEdit = Pick<HeaderRule, 'set' | 'unset'>

/**
 * The site of a document, from memory or the code store.
 *
 * @param digest of the document: set by the platform, so it is one of the caller's own account
 * @throws ERR_INTERNAL if the store lacks it, ERR_STATE_UNAVAILABLE
 */
export function readSite(code: KVNamespace, digest: string): Site | Promise<Site> {
  return sites.get(digest) ?? loadSite(code, digest)
}

async function loadSite(code: KVNamespace, digest: string): Promise<Site> {
  const text = await repeatWhileAway(() => code.get(digest))
  if (text === null)
    throw new SkerryError('ERR_INTERNAL', `the code store has no document of assets ${digest}`)
  const site = openSite(JSON.parse(text) as SiteDocument)
  // Large or not, it is kept: to read it for each request would take much longer.
  sites.set(digest, site, Math.min(text.length + SITE_WEIGHT, SITES_BUDGET / 2))
  return site
}

/** A document made ready for requests. Pure. */
function openSite({ config, files, paths }: SiteDocument): Site {
  const byPath = new Map(paths.map(([path, file]) => [path, files[file]]))
  const headers = compile(config.headers)
  return {
    config,
    find: path => byPath.get(path),
    fixedRedirects: new Map(config.redirects.fixed),
    redirects: compile(config.redirects.rules),
    headers,
    dependsOnHost: headers.some(({ pattern }) => pattern.isAbsolute),
    plans: { whole: new Map(), found: new Map() },
  }
}

/** A pattern that can't be matched is a rule that never applies, as on Cloudflare. */
function compile<Rule extends { readonly pattern: string }>(rules: readonly Rule[]): Compiled<Rule>[] {
  return rules.flatMap(rule => {
    const pattern = parsePattern(rule.pattern)
    return pattern ? [{ pattern, rule }] : []
  })
}

/** Documents weigh as much as their JSON, and what is kept of paths. */
const SITE_WEIGHT = 64 * 1024
const SITES_BUDGET = 16 * 1024 * 1024
const sites = new WeighedCache<Site>(SITES_BUDGET)
