import type { EdgeVersion } from './core/routing.ts'
import { unitHash } from './core/unit-hash.ts'

/**
 * Picks a version by its share of the traffic.
 *
 * `Cloudflare-Workers-Version-Overrides: script="id"` asks for one of the deployed versions, and
 * `Cloudflare-Workers-Version-Key` makes equal keys get the same version while the split stays.
 *
 * @see https://developers.cloudflare.com/workers/configuration/versions-and-deployments/gradual-deployments/
 */
export function pickVersion(versions: readonly EdgeVersion[], request: Request): EdgeVersion | undefined {
  const override = request.headers.get('cloudflare-workers-version-overrides')
  const asked = override && versions.find(({ id }) => override.includes(`"${id}"`))
  if (asked) return asked
  const key = request.headers.get('cloudflare-workers-version-key')
  return pickByShare(versions, key === null ? Math.random() : unitHash(key))
}

/** The version at a point of the unit interval, cut into the versions' shares. */
export function pickByShare(versions: readonly EdgeVersion[], point: number): EdgeVersion | undefined {
  let rest = point * 100
  for (const version of versions) {
    rest -= version.percentage
    if (rest < 0) return version
  }
  return versions.at(-1)
}
