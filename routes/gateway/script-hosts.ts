import type { GatewayDocument } from './document.ts'

/**
 * Which scripts of an account answer on their own host names, `<script>.<domain>` and those of their versions: a
 * route's policies must not be walked around by the name that its script has anyway.
 */
export function scriptHostsOf({ script_hosts, routes }: GatewayDocument): (script: string) => boolean {
  if (script_hosts === 'all') return () => true
  if (script_hosts === 'none') return () => false
  const routed = new Set(routes.map(({ script }) => script))
  return script => !routed.has(script)
}

/** The patterns of the routes that lead to a script. */
export function patternsOf({ routes }: GatewayDocument, script: string): string[] {
  return routes.flatMap(route => (route.script === script ? route.match : []))
}
