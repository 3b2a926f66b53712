/** The first page's style: one column that becomes two, dark and light, no font or image from elsewhere. */
export const STYLE = `
:root {
  --sea: #eef2f3; --rock: #fff; --ink: #12222a; --quiet: #4a6069; --line: #d3dde0; --well: #e6edee;
  --link: #075e70; --lichen: #a85b00; --on-lichen: #fff; --good: #0a6b4a; --bad: #a3261b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --sea: #0d171c; --rock: #142228; --ink: #e4edee; --quiet: #9bb0b7; --line: #263940; --well: #0a1317;
    --link: #74cfdd; --lichen: #f0a93c; --on-lichen: #1a1204; --good: #5fd3a4; --bad: #ff9a8d;
  }
}
* { box-sizing: border-box }
body {
  margin: 0; background: var(--sea); color: var(--ink);
  font: 1rem/1.55 system-ui, -apple-system, 'Segoe UI', sans-serif;
}
.page { max-width: 72rem; margin: 0 auto; padding: 1.5rem 1.25rem 3rem }
header { display: flex; align-items: center; gap: .625rem; flex-wrap: wrap }
header svg { width: 2rem; height: 2rem; flex: none }
.name { font-weight: 650; font-size: 1.125rem; letter-spacing: -.01em }
.state { margin-left: auto; color: var(--quiet); font-size: .875rem }
.state b { color: var(--good); font-weight: 600 }
.state b.bad { color: var(--bad) }
.state b::before {
  content: ''; display: inline-block; width: .5rem; height: .5rem; margin-right: .4rem; border-radius: 50%;
  background: currentColor; vertical-align: .08em;
}
.lead { padding: 3.25rem 0 2.5rem; max-width: 44rem }
h1 { margin: 0 0 .75rem; font-size: clamp(1.9rem, 6vw, 2.75rem); line-height: 1.12; letter-spacing: -.025em; font-weight: 680; text-wrap: balance }
.lead p { margin: 0; color: var(--quiet); font-size: 1.0625rem }
h2 { margin: 0 0 .35rem; font-size: 1.125rem; letter-spacing: -.01em }
h3 { margin: 1.5rem 0 .25rem; font-size: .9375rem }
.columns { display: grid; gap: 1.25rem; grid-template-columns: minmax(0, 1fr) }
@media (min-width: 52rem) {
  .columns { grid-template-columns: minmax(0, 1.5fr) minmax(0, 1fr); align-items: start }
  .columns.mine { grid-template-columns: minmax(0, 1fr) minmax(0, 1.5fr) }
}
.card { background: var(--rock); border: 1px solid var(--line); border-radius: .625rem; padding: 1.5rem }
@media (max-width: 30rem) { .card { padding: 1.125rem } }
.card p { margin: 0 0 .9rem; color: var(--quiet) }
.card p + h3 { margin-top: 1.25rem }
.well {
  display: flex; align-items: start; gap: .25rem; margin: .5rem 0 0; padding: .45rem .5rem .45rem 0;
  background: var(--well); border-radius: .4rem;
}
.well pre { flex: 1; min-width: 0; margin: 0; padding: .2rem .5rem .2rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere }
.well button { flex: none }
@media (max-width: 30rem) {
  .well { flex-wrap: wrap; justify-content: end }
  .well pre { flex-basis: 100% }
}
pre, code { font: .8125rem/1.75 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace }
pre em { color: var(--lichen); font-style: normal }
code { overflow-wrap: anywhere }
a { color: var(--link); text-underline-offset: .2em; text-decoration-thickness: 1px }
a:hover { text-decoration-thickness: 2px }
:focus-visible { outline: 3px solid var(--lichen); outline-offset: 2px; border-radius: .25rem }
button {
  font: inherit; font-size: .8125rem; line-height: 1.4; padding: .25rem .65rem; cursor: pointer; color: var(--ink);
  background: var(--rock); border: 1px solid var(--line); border-radius: .35rem;
}
button:hover { border-color: var(--quiet) }
button.main { font-size: 1rem; padding: .5rem 1.1rem; background: var(--lichen); border-color: var(--lichen); color: var(--on-lichen); font-weight: 600 }
button.main:hover { filter: brightness(1.08) }
label { display: block; margin-bottom: .3rem; font-weight: 600; font-size: .9375rem }
.field { display: flex; gap: .6rem; flex-wrap: wrap }
input {
  flex: 1 1 12rem; min-width: 0; font: inherit; padding: .5rem .7rem; color: var(--ink); background: var(--well);
  border: 1px solid var(--quiet); border-radius: .35rem;
}
.card p.problem { margin: .6rem 0 0; color: var(--bad); font-weight: 600 }
.card p.hint { margin: .9rem 0 0; font-size: .875rem }
.who { display: flex; gap: .75rem; align-items: baseline; justify-content: space-between; flex-wrap: wrap; margin-bottom: .25rem }
.who span { color: var(--quiet); font-size: .875rem }
.who form { display: inline; margin-left: .5rem }
ul { list-style: none; margin: 0; padding: 0 }
li { padding: .7rem 0; border-top: 1px solid var(--line) }
li:first-child { border-top: 0 }
li a, li strong { font-weight: 600; overflow-wrap: anywhere }
li div { color: var(--quiet); font-size: .875rem; overflow-wrap: anywhere }
.card p.held { margin: .35rem 0 0; padding-left: .75rem; border-left: 3px solid var(--bad); font-size: .875rem }
.held strong { color: var(--bad) }
footer { margin-top: 2rem; color: var(--quiet); font-size: .875rem; display: flex; gap: .35rem 1.5rem; flex-wrap: wrap }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap }
`

/**
 * Adds a copy button to each block. Made by the script, so that without it there is no dead button. Clipboards
 * are open to secure origins only (https and localhost): elsewhere the text is selected and copied the old way.
 */
export const SCRIPT = `
const status = document.getElementById('status')
for (const well of document.querySelectorAll('.well')) {
  const text = well.querySelector('pre')
  const button = document.createElement('button')
  button.type = 'button'
  button.textContent = 'Copy'
  button.setAttribute('aria-label', 'Copy ' + well.dataset.what)
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text.textContent)
    } catch {
      getSelection().selectAllChildren(text)
      document.execCommand('copy')
    }
    button.textContent = status.textContent = 'Copied'
    setTimeout(() => { button.textContent = 'Copy'; status.textContent = '' }, 2000)
  })
  well.append(button)
}
`
