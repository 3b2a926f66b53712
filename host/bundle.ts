import { readFile } from 'node:fs/promises'
import { build, type Plugin, transform } from 'esbuild'
import { writeFileAtomic } from './data-dir.ts'
import { Failure } from './failure.ts'

/**
 * Bundles the platform's Worker into one ES module for workerd. `*.prelude.js` files are imported as text: they
 * run inside users' isolates, not in ours.
 *
 * @throws Failure with the compiler's messages
 */
export async function bundleWorker(entryPoint: string, outfile: string): Promise<void> {
  const result = await build({
    entryPoints: [entryPoint],
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2024',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    conditions: ['workerd', 'worker', 'import'],
    external: ['cloudflare:*', 'node:*'],
    plugins: [preludesAsText],
    logLevel: 'silent',
  }).catch(error => {
    throw new Failure(`Cannot bundle ${entryPoint}: ${String(error)}`, 1, { cause: error })
  })

  const [file] = result.outputFiles
  if (!file) throw new Failure(`Cannot bundle ${entryPoint}: the compiler gave no output.`)
  writeFileAtomic(outfile, file.contents)
}

/**
 * Gives `*.prelude.js` as text, without what only people read: every cold start pays for its length. Names stay in
 * facades, as those of classes can be seen by the code that they are for.
 */
export const preludesAsText: Plugin = {
  name: 'preludes-as-text',
  setup({ onLoad }) {
    onLoad({ filter: /\.prelude\.js$/ }, async ({ path }) => {
      const source = await readFile(path, 'utf8')
      const { code } = await transform(source, {
        minifyWhitespace: true,
        minifySyntax: true,
        minifyIdentifiers: path.includes('/runtime/prelude/'),
        target: 'es2024',
      })
      return { contents: code, loader: 'text' }
    })
  },
}
