import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, request } from 'node:http'
import { dirname, join } from 'node:path'
import type { SiteDocument } from '../../bindings/assets/document.ts'
import { type ParsedConfig, parseRules, toSiteConfig } from '../../bindings/assets/site-config.ts'
import type { AssetsConfig } from '../../src/core/manifest.ts'
import { bundleModule, startWorkerd, type Workerd } from './workerd.ts'

/** A directory of static files and how it is served. */
export interface TestSite {
  readonly dir: string
  readonly config?: AssetsConfig
  /** Default 2026-11-01. */
  readonly compatibilityDate?: string
  readonly compatibilityFlags?: readonly string[]
  /** Static files alone. Default: a Worker that says that it was asked. */
  readonly isBare?: boolean
}

/** Files by path, written below a directory. */
export function writeFiles(dir: string, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), content)
  }
}

/** Serves sites as an edge does; the header `x-site` names one. */
export async function startSites(sites: Readonly<Record<string, TestSite>>): Promise<Workerd> {
  const files: Record<string, string> = {}
  const documents = Object.fromEntries(
    Object.entries(sites).map(([name, site]) => [name, JSON.stringify(toDocument(site, files))]),
  )
  return startWorkerd({
    modules: { 'assets.js': await bundleModule('test/worker/assets.ts') },
    compatibilityFlags: [],
    bindings: [{ name: 'STORED', json: JSON.stringify({ documents, files }) }],
  })
}

/** The document that an upload of the directory leads to, with the hashes that Miniflare gives files. */
function toDocument(site: TestSite, files: Record<string, string>): SiteDocument {
  const paths = readdirSync(site.dir, { recursive: true, encoding: 'utf8' }).filter(
    path => statSync(join(site.dir, path)).isFile() && path !== '_headers' && path !== '_redirects',
  )
  const stored = paths.map(path => {
    const file = join(site.dir, path)
    const bytes = readFileSync(file)
    const digest = createHash('sha256').update(bytes).digest('hex')
    files[digest] = bytes.toString('base64')
    const etag = createHash('sha256')
      .update(`${file}${statSync(file).mtimeMs}`)
      .digest('hex')
      .slice(0, 32)
    return [etag, digest, bytes.length, typeOf(path)] as const
  })
  const text = (name: string) => {
    const [found] = readdirSync(site.dir).filter(file => file === name)
    return found === undefined ? undefined : readFileSync(join(site.dir, found), 'utf8')
  }
  const rules = unwrap(
    parseRules({ _headers: text('_headers'), _redirects: text('_redirects') }, site.config?.html_handling),
  )
  const program = {
    mainModule: site.isBare ? '' : 'index.js',
    compatibilityDate: site.compatibilityDate ?? '2026-11-01',
    compatibilityFlags: site.compatibilityFlags ?? [],
  }
  return {
    config: unwrap(toSiteConfig(site.config ?? {}, program, rules)),
    files: stored,
    paths: paths.map((path, index) => [`/${path}`, index]),
  }
}

function unwrap<Parsed>(parsed: ParsedConfig<Parsed>): Parsed {
  if ('config' in parsed) return parsed.config
  throw new Error(parsed.problem)
}

/** As wrangler finds them, for the endings that tests use. */
function typeOf(path: string): string | null {
  const [, ending = ''] = /[^/]\.(\w+)$/.exec(path) ?? []
  return TYPES[ending] ?? null
}

const TYPES: Readonly<Record<string, string>> = {
  html: 'text/html; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  json: 'application/json',
  svg: 'image/svg+xml',
  png: 'image/png',
  bin: 'application/octet-stream',
}

/** What a server said, headers in lower case. */
export interface Said {
  readonly status: number
  readonly statusText: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

/** Sends a path exactly as it is written. */
export function ask(
  port: number,
  path: string,
  init: { readonly method?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<Said> {
  const { method = 'GET', headers } = init
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { host: '127.0.0.1', port, path, method, headers },
      (incoming: IncomingMessage) => {
        const pieces: Buffer[] = []
        incoming.on('data', piece => pieces.push(piece))
        incoming.on('error', reject)
        incoming.on('end', () => {
          const lines = Object.entries(incoming.headersDistinct).map(([name, values]) => [
            name,
            values?.join(', '),
          ])
          resolve({
            status: incoming.statusCode ?? 0,
            statusText: incoming.statusMessage ?? '',
            headers: Object.fromEntries(lines),
            body: Buffer.concat(pieces),
          })
        })
      },
    )
    outgoing.on('error', reject)
    outgoing.end()
  })
}
