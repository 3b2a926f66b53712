import { matchesGlob } from './glob.ts'
import { planFor } from './plan.ts'
import type { Plan, Site } from './site.ts'

/**
 * Who answers a request to a script that has files: the plan for its path, or `undefined` for the Worker.
 *
 * In Cloudflare's order: patterns of `run_worker_first`, files and redirects, the Worker, `not_found_handling`. It
 * comes before the Worker for navigations (`assets_navigation_prefers_asset_serving`), and where patterns say which
 * paths are the Worker's.
 */
export function routeToFiles(site: Site, request: Request): Plan | undefined {
  const { has_worker, worker_first, not_found_handling, navigation_prefers_assets } = site.config
  const { url } = request
  if (worker_first !== false) {
    if (worker_first === true) return undefined
    const { pathname } = new URL(url)
    if (worker_first.assets.some(pattern => matchesGlob(pattern, pathname))) return planFor(site, url, true)
    if (worker_first.worker.some(pattern => matchesGlob(pattern, pathname))) return undefined
  }
  const found = planFor(site, url, false)
  const isFound = found.kind !== 'none' || found.isClaimed
  if (not_found_handling === 'none') return isFound || !has_worker ? found : undefined
  const comesFirst =
    worker_first !== false ||
    (navigation_prefers_assets && !isFound && request.headers.get('sec-fetch-mode') === 'navigate')
  if (isFound || !has_worker) return planFor(site, url, true)
  const whole = comesFirst ? planFor(site, url, true) : undefined
  return whole && (whole.kind !== 'none' || whole.isClaimed) ? whole : undefined
}
