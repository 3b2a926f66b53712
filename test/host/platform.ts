// Runs a platform of the stand-in Worker as its own process, as `npm start` would, and watches what it prints.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A started supervisor. */
export interface Platform {
  readonly child: ChildProcess
  /** Everything printed so far, both streams. */
  output(): string
  /** Resolves to the match once the output has it; fails if the process ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves to the exit code, or to the signal that ended it. */
  ended(): Promise<number | string>
}

/** A directory for one test, gone afterwards. */
export function createTempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'skerry-test-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Starts a platform on a free port, in one process because the stand-in has no roles; it is killed when the test ends. */
export function startPlatform(env: Record<string, string>): Platform {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'start-stand-in.ts')], {
    env: { PATH: process.env.PATH, SKERRY_PORT: '0', SKERRY_PROCESSES: '1', ...env },
    // With a channel, as bin/skerry.mjs starts it from an older Node.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  })
  const exit = once(child, 'exit').then(([code, signal]) => (signal ?? code) as number | string)
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await exit
  })
  let output = ''
  const waiters = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text
      for (const check of waiters) check()
    })
  }
  return {
    child,
    output: () => output,
    ended: () => exit,
    printed(pattern) {
      return new Promise((resolve, reject) => {
        const check = () => {
          const match = pattern.exec(output)
          if (!match) return
          waiters.delete(check)
          resolve(match)
        }
        waiters.add(check)
        check()
        void exit.then(how => reject(new Error(`ended (${how}) without printing ${pattern}:\n${output}`)))
      })
    },
  }
}

/** Waits for the ready line; resolves to the port. */
export async function portOf(platform: Platform): Promise<number> {
  const [, port] = await platform.printed(/^ready http:\/\/[^:]+:(\d+)$/m)
  return Number(port)
}

/** The pid of the workerd that the data directory's records name. */
export function readWorkerdPid(dataDir: string): number {
  return (JSON.parse(readFileSync(join(dataDir, 'run', 'skerry.pid.json'), 'utf8')) as { pid: number }).pid
}

/** One GET on a connection of its own. */
export function get(
  port: number,
  path: string,
  headers: Record<string, string> = {},
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const req = request({ host: '127.0.0.1', port, path, headers, agent: false }, async response => {
      let body = ''
      for await (const chunk of response.setEncoding('utf8')) body += chunk
      resolve({ status: response.statusCode ?? 0, body })
    })
    req.on('error', reject).end()
  })
}
