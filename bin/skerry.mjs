#!/usr/bin/env node
// Starts the CLI, which is TypeScript, with a Node that runs TypeScript: this one, or the one that
// `npm install` brought. Plain JavaScript for Node 20.
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { constants } from 'node:os'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../cli/main.ts', import.meta.url))

// Types are stripped by default since 23.6; net.BoundSocket is the youngest part of Node that host/ uses.
if (process.features.typescript && net.BoundSocket) {
  const { run } = await import(main)
  process.exitCode = await run(process.argv.slice(2))
} else {
  runWithBundledNode()
}

function runWithBundledNode() {
  const node = findBundledNode()
  if (!node) {
    console.error(
      `error: Node ${process.version} can't run Skerry. Use Node 24.21 or newer, or run \`npm install\`.`,
    )
    process.exitCode = 1
    return
  }
  // The channel tells the child when we are gone, even by SIGKILL.
  const child = spawn(node, [fileURLToPath(import.meta.url), ...process.argv.slice(2)], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', error => {
    console.error(`error: cannot start ${node}: ${error.message}`)
    process.exitCode = 1
  })
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 128 + constants.signals[signal] : (code ?? 1)
  })
}

function findBundledNode() {
  try {
    const path = createRequire(import.meta.url).resolve('node/bin/node')
    return existsSync(path) ? path : undefined
  } catch {
    return undefined
  }
}
