#!/usr/bin/env node
// Makes dist/policies: what `import … from 'skerry/policies'` finds. Projects bundle JavaScript and check types by
// declarations, for our sources need compiler options that theirs don't have. Plain JavaScript for Node 20.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))
const entry = 'routes/policies/index'
const outdir = join(root, 'dist/policies')

rmSync(outdir, { recursive: true, force: true })
mkdirSync(outdir, { recursive: true })
// A Worker that uses one policy is not to carry all: modules that it doesn't use may be left out.
writeFileSync(join(outdir, 'package.json'), '{ "type": "module", "sideEffects": false }\n')
await writeModules()
writeDeclarations()

/** Each source file as a module of its own, with the same imports. */
async function writeModules() {
  const common = {
    absWorkingDir: root,
    format: 'esm',
    target: 'es2022',
    packages: 'external',
    bundle: true,
    logLevel: 'warning',
  }
  const whole = await build({ ...common, entryPoints: [`${entry}.ts`], write: false, metafile: true })
  await build({
    ...common,
    entryPoints: Object.keys(whole.metafile.inputs),
    outdir,
    outbase: '.',
    plugins: [{ name: 'apart', setup: keepApart }],
  })
}

function keepApart({ onResolve }) {
  onResolve({ filter: /^\..*\.ts$/ }, ({ kind, path }) =>
    kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true },
  )
}

/** The declarations that those of the entry refer to. */
function writeDeclarations() {
  const compiler = findCompiler()
  if (!compiler) {
    console.error(
      "skerry/policies has no types: TypeScript isn't installed. `npm install --include=dev` brings it.",
    )
    return
  }
  execFileSync(process.execPath, [compiler, '-p', join(root, 'tsconfig.policies.json')], { stdio: 'inherit' })
  const used = new Set()
  keepDeclaration(join(outdir, `${entry}.d.ts`), used)
  for (const name of readdirSync(outdir, { recursive: true })) {
    const path = join(outdir, name)
    if (path.endsWith('.d.ts') && !used.has(path)) rmSync(path)
  }
}

function keepDeclaration(path, used) {
  if (used.has(path)) return
  used.add(path)
  const text = readFileSync(path, 'utf8').replace(/(\bfrom |\bimport\()(["'])(\..*?)\.ts\2/g, '$1$2$3.js$2')
  writeFileSync(path, text)
  for (const [, specifier] of text.matchAll(/["'](\.[^"']*)\.js["']/g)) {
    keepDeclaration(join(dirname(path), `${specifier}.d.ts`), used)
  }
}

function findCompiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc')
  } catch {
    return undefined
  }
}
