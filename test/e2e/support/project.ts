import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A Worker project outside the repository, as its author would make it by hand. */
export interface Project {
  readonly dir: string
  /** Writes more files, or other contents. */
  write(files: Files): void
}

/** Contents by path; a `wrangler.json` may be given as an object. */
export type Files = Readonly<Record<string, string | Uint8Array | object>>

/** Makes a project that lasts until the test has finished; `packages` are linked from the repository. */
export function createProject(files: Files, packages: readonly string[] = []): Project {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-project-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  const write = (more: Files) => {
    for (const [path, content] of Object.entries(more)) {
      mkdirSync(dirname(join(dir, path)), { recursive: true })
      const isText = typeof content === 'string' || content instanceof Uint8Array
      writeFileSync(join(dir, path), isText ? content : JSON.stringify(content, null, 2))
    }
  }
  write(files)
  for (const name of packages) {
    const target = join(dir, 'node_modules', name)
    mkdirSync(dirname(target), { recursive: true })
    symlinkSync(join(import.meta.dirname, '../../../node_modules', name), target)
  }
  return { dir, write }
}

/** The commonest project: a configuration and one module. */
export function createWorker(name: string, source: string, config: object = {}): Project {
  return createProject({
    'wrangler.json': { name, main: 'src/index.ts', compatibility_date: '2026-11-01', ...config },
    'src/index.ts': source,
  })
}

/** A module that answers every request with this text. */
export function answering(text: string): string {
  return `export default { fetch() { return new Response(${JSON.stringify(text)}) } }`
}
