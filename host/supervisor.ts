import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from './failure.ts'
import { type Log, withoutExpected } from './log.ts'
import { forgetProcess, recordProcess } from './process-record.ts'
import { watchOver } from './watchdog.ts'

/** A process to keep running. */
export interface SupervisedProcess {
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** The process's whole environment, made for each start. */
  env(): Readonly<Record<string, string>>
  /** Handed over as descriptors 3, 4, … */
  readonly fds: readonly number[]
  /** Files of its Unix sockets: what a former life left of them is removed before each start. */
  readonly sockets?: readonly string[]
  /** Resolves to `undefined` once the process serves, else to what it answered last. */
  waitUntilHealthy(signal: AbortSignal): Promise<number | string | undefined>
  /**
   * Watches one life of the process, from its start until `signal`: whatever it finds wrong it kills itself, and
   * says why. Resolves to `undefined` if it had no reason to.
   */
  guard?(life: Life, signal: AbortSignal): Promise<string | undefined>
  /** To be told that a life has ended by itself, and what it printed last. */
  ended?(lastWords: string): void
  /** Ends a life in good order: resolves when nothing is left to wait for, or at `signal`: time is up, or the process has ended. */
  drain?(life: Life, signal: AbortSignal): Promise<void>
}

/** One life of a process, from a start to an end. */
export interface Life {
  readonly pid: number
  readonly env: Readonly<Record<string, string>>
  readonly startedAtMs: number
}

/** What became of a process so far. */
export interface SupervisorStatus {
  readonly state: 'starting' | 'ready' | 'draining' | 'waiting'
  readonly life: Life | undefined
  readonly restarts: number
  readonly lastEnd: { readonly reason: string; readonly atMs: number } | undefined
}

/** Times of the supervision, in milliseconds. */
export interface SupervisorTimes {
  /** The first wait before a restart; it doubles with each failure. */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** The longest wait after a life that was healthy, however short. */
  readonly backoffMaxOnceHealthyMs: number
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
  backoffMaxOnceHealthyMs: 400,
  backoffResetMs: 1000,
  killAfterMs: 3000,
  maxFirstStarts: 10,
}

const STDERR_LINES = 20

/** Starts one process, and starts it again whenever it ends, until told to stop. */
export class Supervisor {
  readonly #process: SupervisedProcess
  readonly #runDir: string
  readonly #log: Log
  readonly #times: SupervisorTimes
  readonly #ready = Promise.withResolvers<void>()
  readonly #stop = new AbortController()
  #child: ChildProcess | undefined
  #life: Life | undefined
  #starts = 0
  #lastEnd: SupervisorStatus['lastEnd']
  #wasReady = false
  #wasGuarded = false
  #healthySinceMs: number | undefined
  #lastStderr: string[] = []
  #finished: Promise<void> | undefined

  constructor(
    process: SupervisedProcess,
    options: { runDir: string; log: Log; times?: Partial<SupervisorTimes> },
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

  /** What became of the process so far. */
  status(): SupervisorStatus {
    const state = this.#stop.signal.aborted
      ? 'draining'
      : !this.#life
        ? 'waiting'
        : this.#healthySinceMs === undefined
          ? 'starting'
          : 'ready'
    return { state, life: this.#life, restarts: Math.max(0, this.#starts - 1), lastEnd: this.#lastEnd }
  }

  /** Ends the process: in good order if it takes no longer than allowed, then by SIGKILL. Resolves when it is gone. */
  async stop(killAfterMs = this.#times.killAfterMs): Promise<void> {
    if (!this.#stop.signal.aborted) this.#stop.abort()
    const [child, life] = [this.#child, this.#life]
    if (child && life) {
      const over = new AbortController()
      const timer = setTimeout(() => {
        child.kill('SIGKILL')
        over.abort()
      }, killAfterMs)
      void this.#finished?.then(() => over.abort())
      if (this.#process.drain) {
        await this.#process.drain(life, over.signal)
        child.kill('SIGKILL')
      } else child.kill('SIGTERM')
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
      // A process that was killed for what it ran is not broken itself.
      if (this.#wasGuarded) failures = 0
      const { backoffMinMs, backoffMaxMs, backoffMaxOnceHealthyMs } = this.#times
      const longestMs = this.#healthySinceMs === undefined ? backoffMaxMs : backoffMaxOnceHealthyMs
      const waitMs = failures ? Math.min(backoffMinMs * 2 ** (failures - 1), longestMs) : 0
      this.#log(`${name} ${how}; starting it again in ${waitMs} ms`)
      await delay(waitMs, undefined, { signal: this.#stop.signal }).catch(() => {})
    }
    this.#ready.reject(new Failure(`${name} was stopped before it was ready.`))
  }

  /** One life of the process, from start to end. Says how it ended. */
  async #runOnce(): Promise<string> {
    const { name, command, args, fds, sockets = [] } = this.#process
    this.#healthySinceMs = undefined
    this.#lastStderr = []
    for (const socket of sockets) rmSync(socket, { force: true })
    const env = this.#process.env()
    // A session of its own: Ctrl-C reaches us only, and we end the process in order.
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', ...fds], env, detached: true })
    const ended = waitForEnd(child)
    if (child.pid === undefined) return ended

    this.#child = child
    this.#starts++
    const started = { pid: child.pid, env, startedAtMs: Date.now() }
    this.#life = started
    recordProcess(this.#runDir, name, child.pid)
    const release = watchOver(child.pid)
    for (const stream of [child.stdout, child.stderr]) {
      if (stream)
        createInterface(stream).on(
          'line',
          withoutExpected(line => this.#log.line(name, line)),
        )
    }
    child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#keepStderr(text))

    const over = new AbortController()
    const health = this.#watchHealth(child, started, over.signal)
    const how = await ended
    release()
    forgetProcess(this.#runDir, name)
    this.#child = undefined
    this.#life = undefined
    over.abort()
    const killedFor = await health
    if (killedFor === undefined) this.#process.ended?.(this.#lastStderr.join('\n'))
    const reason = killedFor ?? how
    this.#lastEnd = { reason, atMs: Date.now() }
    return reason
  }

  /** Notes when the process is healthy and has it watched; kills one that doesn't get there. Says why it was killed. */
  async #watchHealth(child: ChildProcess, life: Life, over: AbortSignal): Promise<string | undefined> {
    this.#wasGuarded = false
    const guarded = this.#process.guard?.(life, over)
    const answer = await this.#process.waitUntilHealthy(AbortSignal.any([over, this.#stop.signal]))
    if (answer === undefined && !over.aborted) {
      this.#healthySinceMs = performance.now()
      this.#wasReady = true
      this.#ready.resolve()
    } else if (!over.aborted && !this.#stop.signal.aborted) {
      child.kill('SIGKILL')
      return `did not become healthy (/healthz: ${answer})`
    }
    const reason = await guarded
    this.#wasGuarded = reason !== undefined
    return reason
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
