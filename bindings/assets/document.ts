import type { AssetsConfig } from '../../src/core/manifest.ts'

/** The statuses that `_redirects` may name. */
export const REDIRECT_STATUSES = [200, 301, 302, 303, 307, 308] as const

/** A file: the client's hash (its ETag), SHA-256 of its bytes (where they are stored), bytes, content type. */
export type StoredFile = readonly [etag: string, digest: string, sizeBytes: number, type: string | null]

/** What `_headers` says of the paths that fit a pattern. */
export interface HeaderRule {
  readonly pattern: string
  readonly set: readonly (readonly [name: string, value: string])[]
  readonly unset: readonly string[]
}

/** Where `_redirects` sends, with which status; 200 = serve that path instead. */
export interface RedirectTarget {
  readonly to: string
  readonly status: (typeof REDIRECT_STATUSES)[number]
}

/** A redirect whose source has a placeholder or splat, or comes after one that has. */
export interface RedirectRule extends RedirectTarget {
  readonly pattern: string
}

/** How a version's files are served: its configuration with every default filled in, its rules parsed. */
export interface SiteConfig
  extends Pick<Required<AssetsConfig>, 'html_handling' | 'not_found_handling' | 'base_path'> {
  /** Requests that go to the Worker before files are looked at; patterns with `*`. */
  readonly worker_first: boolean | { readonly worker: readonly string[]; readonly assets: readonly string[] }
  /** Whether there is code; without, what no file answers is answered by `not_found_handling`. */
  readonly has_worker: boolean
  /** The flag `assets_navigation_prefers_asset_serving`. */
  readonly navigation_prefers_assets: boolean
  readonly headers: readonly HeaderRule[]
  readonly redirects: {
    readonly fixed: readonly (readonly [path: string, target: RedirectTarget])[]
    readonly rules: readonly RedirectRule[]
  }
}

/** The document of a version's files in the code store, under the SHA-256 of its JSON. */
export interface SiteDocument {
  readonly config: SiteConfig
  readonly files: readonly StoredFile[]
  /** Paths as in the project's directory, not percent-encoded, and the index of the file there. */
  readonly paths: readonly (readonly [path: string, file: number])[]
}
