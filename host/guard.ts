import { existsSync } from 'node:fs'
import { type IsolateOwner, isProbe, PROBE_PREFIX } from '../src/core/isolate-id.ts'
import { LIMITS } from '../src/core/limits.ts'
import type { HealthReport } from '../src/core/processes.ts'
import { countCallers } from './callers.ts'
import { messageOf } from './failure.ts'
import { Heartbeat } from './heartbeat.ts'
import type { Log } from './log.ts'
import { canLook, look, NAME_PREFIX } from './look.ts'
import { ProcessMemory } from './process-memory.ts'
import { readProcessStats } from './process-stats.ts'
import { type BoardPlace, findBoard, type Rescue } from './rescue.ts'
import type { StrikePost } from './strike-post.ts'
import type { Life } from './supervisor.ts'
import { Watch } from './watch.ts'
import type { Blame, Sight, WatchAction, WatchOptions } from './watch-options.ts'

/** What guarding a process needs. */
export interface GuardOptions {
  /** The process's name, for the log and in strikes. */
  readonly name: string
  /** Under its real name, and as the process opens it at first. */
  readonly healthSocket: string
  readonly healthSocketAtFirst: string
  /** It can run functions, from the moment it listens: whoever hangs it before its first answer is blamed too. */
  readonly runsFunctions: boolean
  readonly watch: WatchOptions
  readonly rescue: Rescue
  readonly strikes: StrikePost
  readonly log: Log
  /** Starts another process in place of this one, and ends this one in good order. */
  replace(why: string): void
}

/**
 * Watches one life of a process: asks for its health, looks who has its thread, and does what `Watch` decides.
 * A process that must end has its clients' connections taken over first.
 */
export class Guard {
  readonly #life: Life
  readonly #options: GuardOptions
  readonly #watch: Watch
  readonly #killed = Promise.withResolvers<string | undefined>()
  readonly #resting = new AbortController()
  #heartbeat: Heartbeat | undefined
  #board: BoardPlace | undefined
  #soughtBoard = false
  #report: HealthReport | undefined
  #hasKilled = false

  constructor(life: Life, options: GuardOptions) {
    this.#life = life
    this.#options = options
    this.#watch = new Watch({ ...options.watch, canLook: canLook() === undefined })
  }

  /** What the process said of itself last. */
  get report(): HealthReport | undefined {
    return this.#report
  }

  /** Where its list of requests is, if it can be found. */
  get board(): BoardPlace | undefined {
    if (!this.#soughtBoard) this.#seekBoard()
    return this.#board
  }

  /** Its heartbeats are late at the moment. */
  get isLate(): boolean {
    return this.#watch.isLate
  }

  /** It was killed, though the system may not have said so yet. */
  get hasKilled(): boolean {
    return this.#hasKilled
  }

  /** Leaves the process alone from now on: whoever ends it in good order stops it for moments, which is no hang. */
  rest(): void {
    this.#resting.abort()
  }

  /** Watches until `signal`, when the process has ended; resolves to why it was killed, if it was. */
  async run(signal: AbortSignal): Promise<string | undefined> {
    const { healthSocket, healthSocketAtFirst, runsFunctions } = this.#options
    // Without an answer to begin with, the watch would leave the process to its start.
    if (runsFunctions) this.#watch.take({ type: 'answered', atMs: performance.now() })
    this.#heartbeat = new Heartbeat({
      socketPath: () => (existsSync(healthSocketAtFirst) ? healthSocketAtFirst : healthSocket),
      signal: AbortSignal.any([signal, this.#resting.signal]),
      // Before the ask: right after an answer, it would mostly be the answering that is seen.
      onBeat: () => this.#readMemory(),
      onAnswer: ({ atMs, body }) => {
        this.#report = body as HealthReport
        // Ahead, as it takes a while.
        if (this.#report.ready && !this.#soughtBoard) this.#seekBoard()
        const { isolates } = this.#report
        const ageMs = Date.now() - this.#life.startedAtMs
        const counters = isolates && {
          isolatesLoaded: isolates.loaded,
          everLoaded: isolates.everLoaded,
          ageMs,
        }
        this.#act(this.#watch.take({ type: 'answered', atMs, ...(counters && { counters }) }))
      },
      onWaiting: forMs => this.#act(this.#watch.take({ type: 'waiting', atMs: performance.now(), forMs })),
      onBroken: () => this.#act(this.#watch.take({ type: 'broken', atMs: performance.now() })),
    })
    signal.addEventListener('abort', () => this.#killed.resolve(undefined), { once: true })
    return this.#killed.promise
  }

  /** To be told how a process ended that wasn't killed: what it printed last may show that its memory ran out. */
  blameForEnd(lastWords: string): void {
    // V8's own words; a function's log may speak of memory too.
    if (!/V8 fatal error|Fatal process out of memory/.test(lastWords)) return
    const blame = this.#watch.blameForEnd(performance.now())
    if (blame) this.#strike(blame)
  }

  #readMemory(): void {
    const stats = readProcessStats(this.#life.pid)
    if (!stats) return
    const { rssBytes, dataBytes } = stats
    const reading = { rssBytes, ...(dataBytes !== undefined && { dataBytes }) }
    this.#act(this.#watch.take({ type: 'memory', atMs: performance.now(), ...reading }))
  }

  #act(actions: readonly WatchAction[]): void {
    for (const action of actions) {
      switch (action.type) {
        case 'look':
          this.#look()
          break
        case 'kill':
          this.#kill(action.blame, action.why)
          break
        case 'evict':
          this.#heartbeat?.order(`?evict=${action.count}`)
          break
        case 'replace':
          this.#options.replace(action.why)
      }
    }
  }

  #look(): void {
    const atMs = performance.now()
    const { isolate: named, isolateName, turnKey, turns, sincePollMs } = look(this.#life.pid)
    const isolate = named ?? (isolateName?.startsWith(NAME_PREFIX) ? UNNAMED : undefined)
    const threadMs = readProcessStats(this.#life.pid)?.threadMs
    const sight = {
      ...(isolate && { isolate }),
      ...(turnKey !== undefined && { turnKey }),
      ...(threadMs !== undefined && { threadMs }),
      ...(turns !== undefined && { turns }),
      ...(sincePollMs !== undefined && { sincePollMs }),
      ...(isolate && sincePollMs !== undefined && this.#readCallers(isolate, sincePollMs)),
    }
    this.#act(this.#watch.take({ type: 'looked', atMs, sight }))
  }

  /** Only of a process that may be starving: it takes longer than all the rest of a look. */
  #readCallers(owner: IsolateOwner, sincePollMs: number): Pick<Sight, 'callers'> {
    if (!this.#board || sincePollMs < LIMITS.starveMs / 2) return {}
    try {
      using memory = ProcessMemory.open(this.#life.pid)
      const callers = countCallers(owner, this.#board, memory)
      return callers ? { callers } : {}
    } catch {
      return {}
    }
  }

  #kill(blame: Blame | undefined, why: string): void {
    const { pid } = this.#life
    const { name, rescue, log } = this.#options
    this.#hasKilled = true
    const who = describeBlamed(blame)
    log(`${name} is ended${who}: ${why}`)
    try {
      using memory = ProcessMemory.open(pid)
      const captured = rescue.takeOver(pid, this.board, memory)
      process.kill(pid, 'SIGKILL')
      rescue.settle(captured, toRescueBlame(blame, this.#options.watch.softBytes))
    } catch (error) {
      log(`${name}: ${messageOf(error)}`)
      process.kill(pid, 'SIGKILL')
    }
    if (blame) this.#strike(blame)
    this.#killed.resolve(`was ended${who}: ${why}`)
  }

  #strike({ kind, owner, detail }: Blame): void {
    if (isProbe(owner)) return
    const { accountId, script, digest } = owner
    void this.#options.strikes.post({
      ...{ accountId, script, digest, kind, detail },
      atMs: Date.now(),
      edge: this.#options.name,
    })
  }

  /** Once for each life: it reads all of the process's memory. */
  #seekBoard(): void {
    this.#soughtBoard = true
    const mark = this.#life.env.SKERRY_BOARD
    if (!mark) return
    try {
      using memory = ProcessMemory.open(this.#life.pid)
      this.#board = findBoard(memory, mark)
    } catch {
      // Where another process's memory can't be read, clients of a killed process lose their connections.
    }
  }
}

/** An isolate of the loader without a name of ours: code that is being checked. */
const UNNAMED: IsolateOwner = { accountId: '', script: '', turnMs: LIMITS.turnMs, digest: PROBE_PREFIX }

function describeBlamed(blame: Blame | undefined): string {
  if (!blame) return ''
  if (isProbe(blame.owner)) return `: code that was being uploaded as "${blame.owner.script}"`
  return `: the function "${blame.owner.script}" of account ${blame.owner.accountId}`
}

function toRescueBlame(blame: Blame | undefined, softBytes: number) {
  if (!blame || isProbe(blame.owner)) return { kind: 'lost' as const }
  const { kind, owner } = blame
  const { accountId, script, turnMs } = owner
  return { kind, accountId, script, limit: kind === 'cpu' ? turnMs : softBytes }
}
