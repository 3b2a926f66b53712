/** A path or URL of `_headers` or `_redirects`, normalised as a URL's parser does, or what is wrong with it. */
export type RuleUrl = { readonly url: string } | { readonly problem: string }

/** What a rule accepts. */
export interface RuleUrlOptions {
  /** Paths alone; a missing slash in front is put there. */
  readonly onlyPaths?: boolean
  readonly noPorts?: boolean
  /** Query and fragment are kept. */
  readonly whole?: boolean
}

/** Reads one. Messages are those of Cloudflare's tools. */
export function parseRuleUrl(text: string, options: RuleUrlOptions = {}): RuleUrl {
  const [, host, path = ''] = /^https:\/\/+([^/]+)\/?(.*)/.exec(text) ?? []
  if (host !== undefined) {
    if (options.onlyPaths)
      return { problem: `Only relative URLs are allowed. Skipping absolute URL ${text}.` }
    if (options.noPorts && /:\d+$/.test(host)) {
      return { problem: `Specifying ports is not supported. Skipping absolute URL ${text}.` }
    }
    const parsed = normalisePath(`/${path}`, options.whole)
    return parsed === undefined ? unparsable(text) : { url: `https://${host}${parsed}` }
  }
  const rooted = options.onlyPaths && !text.startsWith('/') ? `/${text}` : text
  if (rooted.startsWith('/')) {
    const parsed = normalisePath(rooted, options.whole)
    return parsed === undefined ? unparsable(text) : { url: parsed }
  }
  return {
    problem:
      'URLs should either be relative (e.g. begin with a forward-slash), or use HTTPS (e.g. begin with "https://").',
  }
}

/** Whether a normalised URL names a host. */
export function namesHost(url: string): boolean {
  return /^https:\/\/+[^/]/.test(url)
}

function unparsable(text: string): RuleUrl {
  return { problem: `Error parsing URL segment ${text}. Skipping.` }
}

/** The empty host keeps two slashes at the beginning from being one. */
function normalisePath(path: string, whole = false): string | undefined {
  try {
    const { pathname, search, hash } = new URL(`//${path}`, 'relative://')
    return whole ? `${pathname}${search}${hash}` : pathname
  } catch {
    return undefined
  }
}
