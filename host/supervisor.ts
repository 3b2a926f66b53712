import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from './failure.ts'
import { forgetProcess, recordProcess } from './process-record.ts'
import { watchOver } from './watchdog.ts'

/** A process to keep running. */
export interface SupervisedProcess {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** The process's whole environment. */
  readonly env: Readonly<Record<string, string>>
  /** Handed over as descriptors 3, 4, … */
  readonly fds: readonly number[]
  /** Resolves to `undefined` once the process serves, else to what it answered last. */
  waitUntilHealthy(signal: AbortSignal): Promise<number | string | undefined>
}

/** Times of the supervision, in milliseconds. */
export interface SupervisorTimes {
  /** The first wait before a restart; it doubles with each failure. */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** Healthy for this long, a process has earned the shortest wait again. */
  readonly backoffResetMs: number
  /** From SIGTERM to SIGKILL: workerd never ends by itself while RPC connections are open. */
  readonly killAfterMs: number
  /** Starts in a row that may fail before the first that succeeds. */
  readonly maxFirstStarts: number
}

const TIMES: SupervisorTimes = {
  backoffMinMs: 50,
  backoffMaxMs: 5000,
  backoffResetMs: 30_000,
  killAfterMs: 3000,
  maxFirstStarts: 10,
}

const STDERR_LINES = 20

/** Starts one process, and starts it again whenever it ends, until told to stop. */
export class Supervisor {
  readonly #process: SupervisedProcess
  readonly #runDir: string
  readonly #log: (line: string) => void
  readonly #times: SupervisorTimes
  readonly #ready = Promise.withResolvers<void>()
  readonly #stop = new AbortController()
  #child: ChildProcess | undefined
  #wasReady = false
  #healthySinceMs: number | undefined
  #lastStderr: string[] = []
  #finished: Promise<void> | undefined

  constructor(
    process: SupervisedProcess,
    options: { runDir: string; log: (line: string) => void; times?: Partial<SupervisorTimes> },
  ) {
    this.#process = process
    this.#runDir = options.runDir
    this.#log = options.log
    this.#times = { ...TIMES, ...options.times }
    // Nobody may be waiting when it fails; those who do still hear of it.
    this.#ready.promise.catch(() => {})
  }

  /** The pid of the process that runs now. */
  get pid(): number | undefined {
    return this.#child?.pid
  }

  /**
   * Starts the process; resolves when it is healthy for the first time.
   *
   * @throws Failure with its last error lines, if it never becomes healthy in ten starts; or if stopped before
   */
  start(): Promise<void> {
    this.#finished ??= this.#run().catch(error => this.#ready.reject(error))
    return this.#ready.promise
  }

  /** Ends the process: SIGTERM, then SIGKILL. Resolves when it is gone. */
  async stop(): Promise<void> {
    if (!this.#stop.signal.aborted) this.#stop.abort()
    const child = this.#child
    if (child) {
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), this.#times.killAfterMs)
      await this.#finished
      clearTimeout(timer)
    }
    await this.#finished
  }

  /** Ends the process at once. */
  kill(): void {
    this.#stop.abort()
    this.#child?.kill('SIGKILL')
  }

  async #run(): Promise<void> {
    const { name } = this.#process
    for (let failures = 0; !this.#stop.signal.aborted; ) {
      const how = await this.#runOnce()
      if (this.#stop.signal.aborted) break

      const healthyForMs = this.#healthySinceMs === undefined ? 0 : performance.now() - this.#healthySinceMs
      failures = healthyForMs >= this.#times.backoffResetMs ? 1 : failures + 1
      if (!this.#wasReady && failures >= this.#times.maxFirstStarts) {
        const lines = this.#lastStderr.length ? this.#lastStderr.join('\n  ') : '(it printed nothing)'
        throw new Failure(
          `${name} did not start in ${failures} tries; it ${how}. Its last lines:\n  ${lines}`,
        )
      }
      const waitMs = Math.min(this.#times.backoffMinMs * 2 ** (failures - 1), this.#times.backoffMaxMs)
      this.#log(`${name} ${how}; starting it again in ${waitMs} ms`)
      await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
    this.#ready.reject(new Failure(`${name} was stopped before it was ready.`))
  }

  /** One life of the process, from start to end. Says how it ended. */
  async #runOnce(): Promise<string> {
    const { name, command, args, env, fds } = this.#process
    this.#healthySinceMs = undefined
    this.#lastStderr = []
    // A session of its own: Ctrl-C reaches us only, and we end the process in order.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', ...fds], env, detached: true })
    const ended = waitForEnd(child)
    if (child.pid === undefined) return ended

    this.#child = child
    recordProcess(this.#runDir, name, child.pid)
    const release = watchOver(child.pid)
    child.stdout?.pipe(process.stdout, { end: false })
    child.stderr?.pipe(process.stderr, { end: false })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#keepStderr(text))

    const life = new AbortController()
    const health = this.#watchHealth(child, life.signal)
    const how = await ended
    release()
    forgetProcess(this.#runDir, name)
    this.#child = undefined
    life.abort()
    return (await health) ?? how
  }

  /** Notes when the process is healthy; kills one that doesn't get there. Says why it did. */
  async #watchHealth(child: ChildProcess, life: AbortSignal): Promise<string | undefined> {
    const answer = await this.#process.waitUntilHealthy(AbortSignal.any([life, this.#stop.signal]))
    if (life.aborted || this.#stop.signal.aborted) return undefined
    if (answer !== undefined) {
      child.kill('SIGKILL')
      return `did not become healthy (/healthz: ${answer})`
    }
    this.#healthySinceMs = performance.now()
    this.#wasReady = true
    this.#ready.resolve()
    return undefined
  }

  #keepStderr(text: string): void {
    const lines = text.split('\n').filter(Boolean)
    this.#lastStderr = [...this.#lastStderr, ...lines].slice(-STDERR_LINES)
  }
}

async function waitForEnd(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = await once(child, 'exit')
    return signal ? `was ended by ${signal}` : `ended with exit code ${code}`
  } catch (error) {
    return `could not be started: ${String(error)}`
  }
}
