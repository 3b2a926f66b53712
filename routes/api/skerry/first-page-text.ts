import type { AccountOverview, GatewayOverview, Overview } from './overview.ts'

/** The first page's facts for terminals: 80 columns where names allow, a newline at the end. */
export function toPlainText(overview: Overview): string {
  const { isHealthy, version, hostKind, apiUrl, viewer } = overview
  const health = isHealthy ? 'ready' : 'not ready: the registry does not answer'
  const account = viewer?.accounts[0]?.id ?? '<account id>'
  const lines = [
    `Skerry ${version} (${hostKind}): ${health}`,
    '',
    'A serverless platform of your own: it runs Cloudflare Workers, deployed by wrangler.',
    '',
    'Point wrangler at it. On this machine, in the directory of Skerry:',
    '',
    '  eval "$(npx skerry env)"',
    '',
    'or anywhere else:',
    '',
    `  export CLOUDFLARE_API_BASE_URL=${apiUrl}`,
    '  export CLOUDFLARE_API_TOKEN=<token>',
    `  export CLOUDFLARE_ACCOUNT_ID=${account}`,
    '',
    ...(viewer
      ? viewer.accounts.flatMap(toLines)
      : ["To see what is deployed, send a token: curl -H 'authorization: Bearer <token>'", '']),
  ]
  return lines.join('\n')
}

function toLines({ name, id, scripts, total, gateway }: AccountOverview): string[] {
  const rows = scripts.map(script => {
    const places = [...(script.url ? [script.url] : []), ...script.routes]
    const held =
      script.quarantine && `\n    in quarantine until ${script.quarantine.until}: ${script.quarantine.reason}`
    return `  ${script.name}  ${places.join('  ') || '(no address)'}${held ?? ''}`
  })
  const more = total > scripts.length ? [`  and ${total - scripts.length} more: npx skerry script list`] : []
  return [
    `Functions in ${name} (${id}):`,
    '',
    ...(rows.length > 0 ? rows : ['  none yet']),
    ...more,
    ...toGatewayLines(gateway),
    '',
  ]
}

function toGatewayLines(gateway: GatewayOverview | undefined): string[] {
  if (!gateway) return []
  const { revision, routes, policies, author, appliedOn } = gateway
  const content = `${routes} routes, ${policies} policies`
  return ['', `Gateway: ${content}, revision ${revision}, applied by ${author} on ${appliedOn}`]
}
