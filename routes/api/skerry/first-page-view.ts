import { html, raw } from 'hono/html'
import type { ProcessStatus } from '../../../src/core/processes.ts'
import { SCRIPT, STYLE } from './first-page-style.ts'
import type { AccountOverview, GatewayOverview, Overview, ScriptOverview, Viewer } from './overview.ts'

/** HTML that is escaped already: whatever `html` is given as text gets escaped. */
type Html = ReturnType<typeof html>

/**
 * The first page as HTML. Everything it needs is in it.
 *
 * @param nonce lets its own style and script run under the page's Content-Security-Policy
 * @param problem why signing in failed
 */
export function toHtml(overview: Overview, nonce: string, problem?: string): Html {
  const { viewer } = overview
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Skerry</title>
<link rel="icon" href="data:image/svg+xml,${encodeURIComponent(MARK)}">
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<div class="page">
${renderHeader(overview)}
<main>
<div class="lead">
<h1>Workers, on a rock of your own.</h1>
<p>Skerry runs Cloudflare Workers on hardware you choose. You deploy them with the wrangler you already
have; nothing in your project changes.</p>
</div>
<div class="columns${viewer ? ' mine' : ''}">
${viewer ? renderFunctions(viewer) : ''}
${viewer?.processes.length ? renderProcesses(viewer.processes) : ''}
${renderWrangler(overview)}
${viewer ? '' : renderSignIn(problem)}
</div>
</main>
<footer><span>Skerry ${overview.version} on ${HOST_NAMES[overview.hostKind] ?? overview.hostKind}</span>
<span>Health: <a href="/healthz">/healthz</a></span><span>Limits: <a href="/api/v1/limits">/api/v1/limits</a></span></footer>
</div>
<p class="unseen" id="status" role="status"></p>
<script nonce="${nonce}">${raw(SCRIPT)}</script>
</body>
</html>
`
}

function renderHeader({ isHealthy, version }: Overview): Html {
  const state = isHealthy ? html`<b>Ready</b>` : html`<b class="bad">The registry does not answer</b>`
  return html`<header>${raw(MARK)}<span class="name">Skerry</span><span class="state">${state} · ${version}</span></header>`
}

function renderWrangler({ apiUrl, viewer }: Overview): Html {
  const [account] = viewer?.accounts ?? []
  const lines = html`export CLOUDFLARE_API_BASE_URL=${apiUrl}
export CLOUDFLARE_API_TOKEN=<em>&lt;token&gt;</em>
export CLOUDFLARE_ACCOUNT_ID=${account?.id ?? html`<em>&lt;account id&gt;</em>`}`
  return html`<section class="card" aria-labelledby="wrangler">
<h2 id="wrangler">Point wrangler here</h2>
<p>On the machine that runs Skerry, in its directory, one line sets all three variables:</p>
${renderWell('the line', html`eval "$(npx skerry env)"`)}
<h3>From anywhere else</h3>
<p>Make a token with <code>npx skerry token create --name laptop --role deployer</code>, then:</p>
${renderWell('the three lines', lines)}
<h3>Then, in a Worker’s directory</h3>
${renderWell('the command', html`npx wrangler deploy`)}
</section>`
}

/** @param what names the content to screen readers: "Copy <what>" */
function renderWell(what: string, content: Html): Html {
  return html`<div class="well" data-what="${what}"><pre>${content}</pre></div>`
}

function renderSignIn(problem: string | undefined): Html {
  const invalid = problem ? raw(' aria-invalid="true" aria-describedby="problem" autofocus') : ''
  return html`<section class="card" aria-labelledby="sign-in">
<h2 id="sign-in">See what is deployed</h2>
<p>Sign in with an API token; the role <code>viewer</code> is enough.</p>
<form method="post" action="/sign-in">
<label for="token">Token</label>
<div class="field"><input id="token" name="token" type="password" autocomplete="current-password" spellcheck="false" required${invalid}>
<button class="main">Sign in</button></div>
${problem ? html`<p class="problem" id="problem" role="alert">${problem}</p>` : ''}
</form>
<p class="hint">The first start printed an admin token and kept it in the data directory, in the file <code>admin-token</code>.</p>
</section>`
}

function renderFunctions({ tokenName, role, accounts }: Viewer): Html {
  return html`<section class="card" aria-labelledby="functions">
<div class="who"><h2 id="functions">Functions</h2>
<span>${tokenName === role ? role : `${tokenName}, ${role}`} <form method="post" action="/sign-out"><button>Sign out</button></form></span></div>
${accounts.map(account => renderAccount(account, accounts.length > 1))}
</section>`
}

function renderAccount({ name, id, scripts, total, gateway }: AccountOverview, isOneOfMany: boolean): Html {
  const heading = isOneOfMany ? html`<h3>${name} <code>${id}</code></h3>` : ''
  if (total === 0) {
    return html`${heading}<p>Nothing is deployed yet. A project needs a <code>wrangler.toml</code> and a module that answers <code>fetch</code>.</p>`
  }
  const rest = total - scripts.length
  return html`${heading}<ul>${scripts.map(renderScript)}</ul>
${rest > 0 ? html`<p class="hint">And ${rest} more: <code>npx skerry script list</code></p>` : ''}
${gateway ? renderGateway(gateway) : ''}`
}

function renderGateway({ revision, routes, policies, author, appliedOn }: GatewayOverview): Html {
  return html`<h3>Gateway</h3>
<p>${routes} routes and ${policies} policies: revision ${revision}, applied by ${author}, ${renderTime(appliedOn)}.
<code>npx skerry gateway pull</code> shows the file.</p>`
}

function renderScript({ name, url, routes, modifiedOn, quarantine }: ScriptOverview): Html {
  const title = url ? html`<a href="${url}">${name}</a>` : html`<strong>${name}</strong>`
  const host = url && new URL(url).host
  const places = [...(host ? [host] : []), ...routes].join(', ') || 'no address'
  return html`<li>${title}<div>${places}</div>
<div>changed ${renderTime(modifiedOn)}</div>${quarantine ? renderQuarantine(name, quarantine) : ''}</li>`
}

function renderQuarantine(name: string, { reason, until }: NonNullable<ScriptOverview['quarantine']>): Html {
  return html`<p class="held"><strong>In quarantine</strong> until ${renderTime(until)}: ${reason}. A corrected
version ends it, or <code>npx skerry script release ${name}</code></p>`
}

function renderProcesses(processes: readonly ProcessStatus[]): Html {
  return html`<section class="card" aria-labelledby="processes">
<h2 id="processes">Processes</h2>
<ul>${processes.map(renderProcess)}</ul>
<p class="hint">As of this page’s loading: <code>npx skerry status</code></p>
</section>`
}

function renderProcess({
  name,
  state,
  started_on,
  rss_bytes,
  isolates,
  restarts,
  last_end,
}: ProcessStatus): Html {
  const facts = [
    state,
    ...(rss_bytes === null ? [] : [`${Math.round(rss_bytes / 1024 / 1024)} MB`]),
    ...(isolates === null ? [] : [isolates === 1 ? '1 isolate' : `${isolates} isolates`]),
    restarts === 1 ? '1 restart' : `${restarts} restarts`,
  ]
  return html`<li><strong>${name}</strong><div>${facts.join(', ')}</div>
${started_on ? html`<div>since ${renderTime(started_on)}</div>` : ''}${
  last_end ? html`<p class="held">Ended ${renderTime(last_end.at)}: it ${last_end.reason}</p>` : ''
}</li>`
}

function renderTime(iso: string): Html {
  return html`<time datetime="${iso}">${iso.slice(0, 16).replace('T', ' ')} UTC</time>`
}

const HOST_NAMES: Readonly<Record<string, string>> = {
  'self-host': 'workerd',
  dev: 'wrangler dev',
  cloudflare: 'Cloudflare',
}

/** A rock between sky and sea, with lichen on it. */
const MARK = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32" aria-hidden="true"><path fill="#5d7680" d="M4 21 10 11l4 3 5-8 9 15z"/><path fill="#e39a2d" d="m19 6 3 5-3.5 2-2-3z"/><path fill="none" stroke="#2e9fb2" stroke-width="2" stroke-linecap="round" d="M2 24.5c2.5-2 4.5-2 7 0s4.5 2 7 0 4.5-2 7 0 4.5 2 7 0"/></svg>`
