import { build } from 'esbuild'
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
    loader: { '.prelude.js': 'text' },
    logLevel: 'silent',
  }).catch(error => {
    throw new Failure(`Cannot bundle ${entryPoint}: ${String(error)}`, 1, { cause: error })
  })

  const [file] = result.outputFiles
  if (!file) throw new Failure(`Cannot bundle ${entryPoint}: the compiler gave no output.`)
  writeFileAtomic(outfile, file.contents)
}
