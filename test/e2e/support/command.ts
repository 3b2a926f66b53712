import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'

/** How a command is run. */
export interface RunOptions {
  /** Default: an empty directory. */
  readonly cwd?: string
  /** Written to its standard input, which then ends. */
  readonly stdin?: string
  readonly env?: Readonly<Record<string, string>>
}

/** A command that has ended. */
export interface Finished {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
  /** Both, for messages that may come on either. */
  readonly all: string
}

/** A command under way. */
export interface Started {
  /** Resolves when its standard output matches; rejects when it ends before. */
  until(pattern: RegExp): Promise<void>
  stdout(): string
  kill(signal: NodeJS.Signals): void
  readonly finished: Promise<Finished>
}

const TIMEOUT_MS = 90_000
/** Where wrangler keeps its settings and logs: for a test run, made and removed by global-setup.ts. */
function homeDir(): string {
  process.env.SKERRY_E2E_HOME ??= mkdtempSync(join(tmpdir(), 'skerry-e2e-home-'))
  return process.env.SKERRY_E2E_HOME
}

/** None outlives us. */
const running = new Set<ChildProcess>()
process.once('exit', () => {
  for (const child of running) kill(child, 'SIGKILL')
})

/** With what it started: wrangler's own program is a child of the one that is called. */
function kill({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // All of them have ended.
  }
}

/** Runs a Node program to its end, with a clean environment. */
export function runCommand(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: RunOptions = {},
): Promise<Finished> {
  return startCommand(program, args, env, options).finished
}

/** Starts a Node program with a clean environment: no settings of whoever runs the tests, no colours, no telemetry. */
export function startCommand(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  options: RunOptions = {},
): Started {
  const home = homeDir()
  const child = spawn(process.execPath, [program, ...args], {
    cwd: options.cwd ?? home,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH,
      HOME: home,
      XDG_CONFIG_HOME: join(home, '.config'),
      // Compiling wrangler anew takes a fifth of each run.
      NODE_COMPILE_CACHE: join(home, 'compiled'),
      ...{ CI: '1', NO_COLOR: '1', FORCE_COLOR: '0' },
      ...{
        WRANGLER_SEND_METRICS: 'false',
        WRANGLER_HIDE_BANNER: 'true',
        CLOUDFLARE_CF_FETCH_ENABLED: 'false',
      },
      ...env,
      ...options.env,
    },
    detached: true,
  })
  const timer = setTimeout(kill, TIMEOUT_MS, child, 'SIGKILL')
  const output = { stdout: '', stderr: '', all: '' }
  const waiting = new Set<() => void>()
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      // wrangler colours some messages whatever it is told.
      const plain = stripVTControlCharacters(text)
      output[name] += plain
      output.all += plain
      for (const look of waiting) look()
    })
  }
  // A program may end without reading.
  child.stdin.on('error', () => {})
  child.stdin.end(options.stdin ?? '')
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on('error', reject)
    child.on('close', code => resolve({ code, ...output }))
  })
  running.add(child)
  const forget = () => {
    clearTimeout(timer)
    running.delete(child)
  }
  void finished.finally(forget).catch(() => {})
  return {
    finished,
    stdout: () => output.stdout,
    kill: signal => kill(child, signal),
    until: pattern =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(output.stdout)) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
        void finished.then(({ code, all }) =>
          reject(new Error(`ended with ${code} before printing ${pattern}; it printed:\n${all}`)),
        )
      }),
  }
}
