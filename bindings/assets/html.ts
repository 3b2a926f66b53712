import type { HtmlHandling, NotFoundHandling } from '../../src/core/manifest.ts'
import type { StoredFile } from './document.ts'

/** The file that answers a path, or the path that the caller is sent to. */
export type Intent = { readonly file: StoredFile; readonly status: 200 | 404 } | { readonly redirect: string }

/** Which file is at a path, as the project's directory has it. */
export type FindFile = (path: string) => StoredFile | undefined

/**
 * What answers a path: Cloudflare's rules of `html_handling`, then those of `not_found_handling`.
 *
 * A path is redirected only where no file has the path it would lead to, and what that path gives is the very file
 * that was found.
 *
 * @param path percent-decoded, without base path
 * @see https://developers.cloudflare.com/workers/static-assets/routing/advanced/html-handling/
 */
export function findIntent(
  path: string,
  html: HtmlHandling,
  notFound: NotFoundHandling,
  find: FindFile,
  mayRedirect = true,
): Intent | undefined {
  for (const step of STEPS[html](path)) {
    const [wanted, to] = step
    const file = find(wanted)
    if (!file) continue
    if (to === undefined) return { file, status: 200 }
    if (!mayRedirect || find(to)) continue
    const there = findIntent(to, html, notFound, find, false)
    // Two files of the same bytes have the same hash.
    if (there && 'file' in there && there.file[0] === file[0]) return { redirect: to }
  }
  return findFallback(path, notFound, find)
}

/** A file to look for; with a second path, callers are sent there if it is found. */
type Step = readonly [file: string, redirect?: string]

const STEPS: Readonly<Record<HtmlHandling, (path: string) => readonly Step[]>> = {
  'auto-trailing-slash': path => {
    const tail: Step[] = [[path], [`${path}.html`], [`${path}/index.html`, `${path}/`]]
    const stem = stemOf(path)
    switch (endOf(path)) {
      case '/index':
        return [[path], [`${path}.html`, `${stem}/`], [`${stem}.html`, stem], ...tail]
      case '/index.html':
        return [[path, `${stem}/`], [`${stem}.html`, stem], ...tail]
      case '/':
        return [[`${path}index.html`], [`${stem}.html`, stem], ...tail]
      case '.html':
        return [[path, stem], [`${stem}/index.html`, `${stem}/`], ...tail]
      default:
        return tail
    }
  },
  'force-trailing-slash': path => {
    const tail: Step[] = [[path], [`${path}.html`, `${path}/`], [`${path}/index.html`, `${path}/`]]
    const stem = stemOf(path)
    switch (endOf(path)) {
      case '/index':
        return [[path], [`${path}.html`, `${stem}/`], [`${stem}.html`, `${stem}/`], ...tail]
      case '/index.html':
        return [[path, `${stem}/`], [`${stem}.html`, `${stem}/`], ...tail]
      case '/':
        return [[`${path}index.html`], [`${stem}.html`], ...tail]
      case '.html':
        return [[path, `${stem}/`], [path], [`${stem}/index.html`, `${stem}/`], ...tail]
      default:
        return tail
    }
  },
  'drop-trailing-slash': path => {
    const tail: Step[] = [[path], [`${path}.html`], [`${path}/index.html`]]
    const stem = stemOf(path)
    const isTop = stem === ''
    switch (endOf(path)) {
      case '/index':
        return isTop
          ? [[path], ['/index.html', '/'], ...tail]
          : [[path], [`${stem}.html`, stem], [`${path}.html`, stem], ...tail]
      case '/index.html':
        return isTop ? [[path, '/'], ...tail] : [[path, stem], [path], [`${stem}.html`, stem], ...tail]
      case '/':
        return isTop
          ? [['/index.html'], ...tail]
          : [[`${stem}.html`, stem], [`${stem}/index.html`, stem], ...tail]
      case '.html':
        return [[path, stem], [`${stem}/index.html`, stem], ...tail]
      default:
        return tail
    }
  },
  none: path => [[path]],
}

const ENDS = ['/index', '/index.html', '/', '.html'] as const

function endOf(path: string): (typeof ENDS)[number] | undefined {
  return ENDS.find(end => path.endsWith(end))
}

/** The path without such an end. */
function stemOf(path: string): string {
  const end = endOf(path)
  return end === undefined ? path : path.slice(0, -end.length)
}

function findFallback(path: string, notFound: NotFoundHandling, find: FindFile): Intent | undefined {
  if (notFound === 'single-page-application') {
    const file = find('/index.html')
    return file && { file, status: 200 }
  }
  if (notFound === 'none') return undefined
  let directory = path
  while (directory !== '') {
    directory = directory.slice(0, Math.max(0, directory.lastIndexOf('/')))
    const file = find(`${directory}/404.html`)
    if (file) return { file, status: 404 }
  }
  return undefined
}
