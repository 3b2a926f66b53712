import type { AssetsConfig, Program } from '../../src/core/manifest.ts'
import { normaliseBasePath } from './base-path.ts'
import type { SiteConfig } from './document.ts'
import { type LineProblem, parseHeadersFile } from './headers-file.ts'
import { parseRedirectsFile } from './redirects-file.ts'

/** How a version's files are served, or what is wrong with its configuration. */
export type ParsedConfig<Parsed> = { readonly config: Parsed } | { readonly problem: string }

type Rules = Pick<SiteConfig, 'headers' | 'redirects'>

/** The rules of `_headers` and `_redirects`; a line that is none refuses the upload, as on Cloudflare. */
export function parseRules(
  files: { readonly _headers?: string | undefined; readonly _redirects?: string | undefined },
  html: AssetsConfig['html_handling'],
): ParsedConfig<Rules> {
  const headers = parseHeadersFile(files._headers ?? '')
  const redirects = parseRedirectsFile(files._redirects ?? '', html ?? 'auto-trailing-slash')
  const problem = describe('_redirects', redirects.problems) ?? describe('_headers', headers.problems)
  return problem === undefined
    ? { config: { headers: headers.rules, redirects: redirects.rules } }
    : { problem }
}

function describe(file: string, problems: readonly LineProblem[]): string | undefined {
  if (problems.length === 0) return undefined
  const lines = problems.slice(0, MAX_SHOWN).map(({ line, message }) => `Line ${line}: ${message}`)
  return [`Invalid ${file} configuration:`, ...lines].join('\n')
}

const MAX_SHOWN = 20

/** The configuration with its defaults filled in. */
export function toSiteConfig(
  config: AssetsConfig,
  program: Pick<Program, 'mainModule' | 'compatibilityDate' | 'compatibilityFlags'>,
  rules: Rules,
): ParsedConfig<SiteConfig> {
  const hasWorker = program.mainModule !== ''
  const first = parseWorkerFirst(config.run_worker_first ?? false, hasWorker)
  if ('problem' in first) return first
  const base = normaliseBasePath(config.base_path ?? '/')
  if ('problem' in base) return { problem: `base_path "${config.base_path}" is invalid: ${base.problem}` }
  return {
    config: {
      html_handling: config.html_handling ?? 'auto-trailing-slash',
      not_found_handling: config.not_found_handling ?? 'none',
      base_path: base.path,
      worker_first: first.config,
      has_worker: hasWorker,
      navigation_prefers_assets: prefersAssets(program),
      headers: rules.headers,
      redirects: rules.redirects,
    },
  }
}

function prefersAssets({
  compatibilityDate,
  compatibilityFlags,
}: Pick<Program, 'compatibilityDate' | 'compatibilityFlags'>): boolean {
  if (compatibilityFlags.includes('assets_navigation_prefers_asset_serving')) return true
  return compatibilityDate >= '2025-04-01' && !compatibilityFlags.includes('assets_navigation_has_no_effect')
}

function parseWorkerFirst(
  input: boolean | readonly string[],
  hasWorker: boolean,
): ParsedConfig<SiteConfig['worker_first']> {
  if (input !== false && !hasWorker) {
    return { problem: 'run_worker_first needs a Worker script: add one, or remove the field' }
  }
  if (typeof input === 'boolean') return { config: input }
  if (input.length > MAX_PATTERNS) {
    return { problem: `run_worker_first has ${input.length} rules; at most ${MAX_PATTERNS} are allowed` }
  }
  const wrong = input.find(rule => !/^!?\//.test(rule) || rule.length > MAX_PATTERN_CHARS)
  if (wrong !== undefined) {
    return {
      problem: `run_worker_first: '${wrong}': rules must start with '/' or '!/' and have at most ${MAX_PATTERN_CHARS} characters`,
    }
  }
  const worker = input.filter(rule => rule.startsWith('/'))
  if (worker.length === 0)
    return { problem: 'run_worker_first must have at least 1 rule that does not begin with !' }
  const assets = input.filter(rule => rule.startsWith('!')).map(rule => rule.slice(1))
  return { config: { worker, assets } }
}

/** Cloudflare's bounds. */
const MAX_PATTERNS = 100
const MAX_PATTERN_CHARS = 100
