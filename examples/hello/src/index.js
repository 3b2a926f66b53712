// The function that a first start of Skerry deploys: an ordinary Worker in plain JavaScript.

export default {
  fetch(request) {
    const { protocol, host, pathname } = new URL(request.url)
    if (pathname !== '/') {
      return new Response(`There is nothing at ${pathname}; try ${protocol}//${host}/\n`, { status: 404 })
    }
    // It answers on hello.<domain>, and the next function on a name beside it.
    const domain = host.replace(/^hello\./, '')
    const wantsHtml = request.headers.get('accept')?.includes('text/html')
    return wantsHtml ? respondPage(protocol, domain) : respondText(protocol, domain)
  },
}

const STEPS = [
  [
    'In a directory of your own, write wrangler.toml',
    'name = "mine"\nmain = "index.js"\ncompatibility_date = "2026-11-01"',
  ],
  ['and index.js', 'export default {\n  fetch: () => new Response("It is mine.\\n")\n}'],
  ["In Skerry's directory, point wrangler here", 'eval "$(npx skerry env)"'],
  ['Back in your own directory, in the same shell', 'npx wrangler deploy'],
]

function respondText(protocol, domain) {
  const steps = STEPS.map(([what, how], i) => `${i + 1}. ${what}:\n\n${how.replace(/^/gm, '     ')}\n`)
  return new Response(
    `Hello from an isolate.\n\n` +
      `This is the example that Skerry deployed when it first started. To replace it by yours:\n\n` +
      `${steps.join('\n')}\nThen: curl ${protocol}//mine.${domain}/\n`,
    { headers: { 'content-type': 'text/plain; charset=utf-8' } },
  )
}

function respondPage(protocol, domain) {
  const steps = STEPS.map(([what, how]) => `<li>${escapeHtml(what)}:<pre>${escapeHtml(how)}</pre></li>`)
  const mine = escapeHtml(`${protocol}//mine.${domain}/`)
  const html = PAGE.replace('{steps}', () => steps.join('\n'))
    .replaceAll('{mine}', () => mine)
    .replaceAll('{platform}', () => escapeHtml(`${protocol}//${domain}/`))
  return new Response(html, {
    headers: {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
    },
  })
}

function escapeHtml(text) {
  return text.replace(/[&<>"']/g, char => `&#${char.charCodeAt(0)};`)
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>Hello from an isolate</title>
<style>
  :root { --paper: #f4f6f5; --ink: #17252b; --quiet: #52656d; --code: #e3eae9; --link: #0b6170 }
  @media (prefers-color-scheme: dark) {
    :root { --paper: #10191d; --ink: #e6eeee; --quiet: #9db0b6; --code: #1b2930; --link: #6fd0dc }
  }
  body { margin: 0 auto; padding: 3rem 1.25rem; max-width: 38rem; background: var(--paper); color: var(--ink);
    font: 1rem/1.6 system-ui, sans-serif }
  h1 { margin: 0 0 .5rem; font-size: 2.25rem; line-height: 1.15; letter-spacing: -.02em }
  p { color: var(--quiet) }
  ol { padding-left: 1.25rem }
  li { margin: 1.25rem 0 }
  pre { margin: .5rem 0 0; padding: .75rem 1rem; background: var(--code); border-radius: .375rem; overflow-x: auto;
    font: .875rem/1.5 ui-monospace, monospace }
  a { color: var(--link) }
</style>
<h1>Hello from an isolate</h1>
<p>This is the example that Skerry deployed when it first started. To put up a function of your own:</p>
<ol>
{steps}
</ol>
<p>Then open <a href="{mine}">{mine}</a>. What runs here is on the
  <a href="{platform}">first page of the platform</a>.</p>
</html>
`
