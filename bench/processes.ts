import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

/** How long a server may take to start. */
const START_MS = 15_000
/** How long it may take to stop before it is killed. */
const STOP_MS = 5000

const children = new Set<ChildProcess>()
const dirs = new Set<string>()

// Whatever ends the benchmark, an error or a signal, its servers and files go with it.
process.on('exit', () => {
  for (const child of children) child.kill()
  for (const dir of dirs) rmSync(dir, { recursive: true, force: true })
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => process.exit(1))

/** A new directory for a server's files, and its removal. */
export function makeTempDir(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'skerry-bench-'))
  dirs.add(path)
  return {
    path,
    [Symbol.dispose]() {
      rmSync(path, { recursive: true, force: true })
      dirs.delete(path)
    },
  }
}

/** Starts a program that ends with this one. */
export function startProcess(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(command, args, options)
  children.add(child)
  child.once('exit', () => children.delete(child))
  return child
}

/** The first group of a pattern in what a starting process prints, line by line; the rest is read and dropped. */
export async function waitForLine(child: ChildProcess, fd: number, pattern: RegExp): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const failed = (how: string) => () => reject(new Error(`${child.spawnargs.join(' ')} ${how}`))
  const timer = setTimeout(failed(`was not ready in ${START_MS} ms`), START_MS)
  child.once('exit', failed('ended before it was ready'))
  createInterface({ input: child.stdio[fd] as NodeJS.ReadableStream }).on('line', line => {
    const group = pattern.exec(line)?.[1]
    if (group) resolve(group)
  })
  try {
    return await promise
  } finally {
    clearTimeout(timer)
  }
}

/** Ends a process; resolves when it is gone. */
export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill()
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(timer)
}
