import { randomBytes } from 'node:crypto'
import { existsSync, renameSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { ProcessOrders, ProcessReport, ProcessStatus } from '../src/core/processes.ts'
import { toCapnpText, type WorkerdConfig } from './config.ts'
import { takeConnections } from './connections.ts'
import { writeFileAtomic } from './data-dir.ts'
import { Failure, messageOf } from './failure.ts'
import { Guard } from './guard.ts'
import { waitUntilReady } from './health.ts'
import type { Log } from './log.ts'
import type { MemoryLimits } from './memory-limits.ts'
import { sendOps } from './ops.ts'
import { ProcessMemory } from './process-memory.ts'
import { readProcessStats } from './process-stats.ts'
import { Rescue } from './rescue.ts'
import { StrikePost } from './strike-post.ts'
import { type Life, type SupervisedProcess, Supervisor } from './supervisor.ts'
import { canRescue } from './system-calls.ts'
import {
  openedAs,
  type ProcessDescription,
  type ProcessRole,
  type SocketPurpose,
  socketPath,
} from './topology.ts'
import { resolveWatchOptions } from './watch-options.ts'
import { findWorkerd } from './workerd.ts'

const START_DEADLINE_MS = 30_000

/** What the processes of a platform have in common. */
export interface FleetOptions {
  readonly runDir: string
  readonly socketDir: string
  /** The platform's listening descriptor. */
  readonly listenFd: number
  /** The port clients connect to. */
  readonly port: number
  /** Of each process that runs functions. */
  memory(role: ProcessRole): MemoryLimits
  /** Makes the platform's bundle anew, for a restart. */
  bundle(): Promise<void>
  /** The environment of a process; secrets only for those that hold state. */
  env(description: ProcessDescription): Readonly<Record<string, string>>
  readonly log: Log
}

/** One name a process can run under, and the process that does. */
interface Berth {
  readonly description: ProcessDescription
  supervisor: Supervisor | undefined
  /** Of the life that runs now. */
  guard: Guard | undefined
}

/** All processes of a platform: started together, replaced one by one, ended in order. */
export class Fleet {
  readonly #options: FleetOptions
  readonly #berths: Berth[]
  readonly #stopping = new AbortController()
  readonly #opsSocket: string
  readonly #rescue: Rescue
  readonly #strikes: StrikePost
  /** Replacements wait for one another: there is one spare berth. */
  #replacing: Promise<void> = Promise.resolve()

  /** @param processes as `describeProcesses` gives them: the first holds state */
  constructor(processes: readonly [ProcessDescription, ...ProcessDescription[]], options: FleetOptions) {
    this.#options = options
    this.#opsSocket = this.#socket(processes[0], 'ops')
    this.#berths = processes.map(description => ({ description, supervisor: undefined, guard: undefined }))
    const { port, log } = options
    this.#rescue = new Rescue({ port, frontSockets: () => this.#frontSockets(), log })
    this.#strikes = new StrikePost({ socketPath: this.#opsSocket, log })
  }

  /**
   * Starts every process but the spare edge; resolves when all are healthy.
   *
   * @throws Failure of the first that can't be started
   */
  async start(): Promise<void> {
    const { runDir } = this.#options
    for (const { description } of this.#berths) {
      writeFileAtomic(join(runDir, `${description.name}.capnp`), toCapnpText(description.config))
    }
    const edges = this.#berths.filter(({ description }) => description.role === 'edge')
    const spare = edges.at(-1)
    for (const { description } of this.#berths) {
      const { config, name } = description
      for (const path of privateSockets(config, this.#options.socketDir, name)) await leaveDeadSocket(path)
    }
    await Promise.all(this.#berths.filter(berth => berth !== spare).map(berth => this.#launch(berth)))
    void this.#report()
  }

  /**
   * Replaces every process by one of the code that is installed now: one edge first, to see that it starts, then
   * state, then the other edges. If it doesn't start, everything stays as it is.
   */
  async restart(): Promise<void> {
    const { log, bundle } = this.#options
    try {
      log('restarting: every process is replaced, one after the other')
      await bundle()
      const [first, ...others] = this.#berths.filter(
        ({ description, supervisor }) => supervisor && description.role === 'edge',
      )
      if (first) await this.#replace(first, 'restart')
      for (const berth of this.#berths) {
        if (berth.description.role !== 'edge') await this.#restartInPlace(berth)
      }
      for (const berth of others) await this.#replace(berth, 'restart')
      log('restarted')
    } catch (error) {
      log(`the restart failed: ${messageOf(error)}`)
    }
  }

  /** Starts another edge in the spare berth, then ends this one in good order. */
  #replace(berth: Berth, reason: string): Promise<void> {
    const replaced = this.#replacing.then(async () => {
      const spare = this.#berths.find(
        ({ description, supervisor }) => !supervisor && description.role === 'edge',
      )
      const old = berth.supervisor
      if (!spare || !old || this.#stopping.signal.aborted) return
      this.#options.log(`${berth.description.name} is replaced by ${spare.description.name}: ${reason}`)
      try {
        await this.#launch(spare)
      } catch (error) {
        spare.supervisor = undefined
        throw error
      }
      await old.stop(DRAIN_MS)
      berth.supervisor = undefined
    })
    this.#replacing = replaced.catch(() => undefined)
    return replaced
  }

  /** Two processes can't share a data directory; what needs this one waits for it. */
  async #restartInPlace(berth: Berth): Promise<void> {
    if (this.#stopping.signal.aborted) return
    await berth.supervisor?.stop(hasClients(berth.description) ? DRAIN_MS : STATE_KILL_AFTER_MS)
    await this.#launch(berth)
  }

  /** Keeps the API's picture of the processes fresh, and takes its orders up. */
  async #report(): Promise<void> {
    const { signal } = this.#stopping
    let toldMs = 0
    let told = ''
    while (!signal.aborted) {
      const processes = this.status()
      const changing = processes.map(({ name, state, pid, restarts }) => [name, state, pid, restarts]).join()
      if (changing !== told || performance.now() - toldMs >= REPORT_MS) {
        const orders = await this.#tell({ processes })
        if (orders) [told, toldMs] = [changing, performance.now()]
        if (orders?.restart) void this.restart()
      }
      await delay(REPORT_LOOK_MS, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** `undefined` while the state process is being restarted: it hears of it the next time. */
  async #tell(report: ProcessReport): Promise<ProcessOrders | undefined> {
    try {
      const { status, text } = await sendOps(this.#opsSocket, 'PUT', '/processes', JSON.stringify(report))
      return status === 200 ? (JSON.parse(text) as ProcessOrders) : undefined
    } catch {
      return undefined
    }
  }

  /** Ends all: edges first, so that what they still do reaches the others, and state last. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#replacing
    const stopAll = (isTheirTurn: (description: ProcessDescription) => boolean, killAfterMs?: number) =>
      Promise.all(
        this.#berths
          .filter(({ description }) => isTheirTurn(description))
          .map(({ supervisor }) => supervisor?.stop(killAfterMs)),
      )
    await stopAll(hasClients)
    await stopAll(({ role }) => role === 'objects', STATE_KILL_AFTER_MS)
    this.#strikes.close()
    await stopAll(({ role }) => role === 'state', STATE_KILL_AFTER_MS)
  }

  /** Ends all at once. */
  kill(): void {
    this.#stopping.abort()
    for (const { supervisor } of this.#berths) supervisor?.kill()
  }

  /** Every process that runs or should. */
  status(): ProcessStatus[] {
    return this.#berths.flatMap(({ description, supervisor, guard }) => {
      if (!supervisor) return []
      const { state, life, restarts, lastEnd } = supervisor.status()
      const isolates = life && guard?.report?.isolates
      return [
        {
          name: description.name,
          role: description.role,
          state: state === 'ready' && guard?.isLate ? 'late' : state,
          pid: life?.pid ?? null,
          started_on: life ? new Date(life.startedAtMs).toISOString() : null,
          rss_bytes: life ? (readProcessStats(life.pid)?.rssBytes ?? null) : null,
          isolates: isolates?.loaded ?? null,
          isolates_ever: isolates?.everLoaded ?? null,
          restarts,
          last_end: lastEnd ? { reason: lastEnd.reason, at: new Date(lastEnd.atMs).toISOString() } : null,
        },
      ]
    })
  }

  #launch(berth: Berth): Promise<void> {
    const { runDir, log } = this.#options
    berth.supervisor = new Supervisor(this.#prepare(berth), { runDir, log })
    return berth.supervisor.start()
  }

  /** Says how to start a process, and how to watch and end it. */
  #prepare(berth: Berth): SupervisedProcess {
    const { runDir, listenFd } = this.#options
    const { name, role, config, publicSocket } = berth.description
    const { dataLimitKib } = this.#options.memory(role)
    const sockets = privateSockets(config, this.#options.socketDir, name)
    const listening = publicSocket ? ['--socket-fd', `${publicSocket}=3`] : []
    const args = ['serve', '--experimental', ...listening, join(runDir, `${name}.capnp`)]
    // The last line of defence behind the guard: a process can't take more than this.
    const limit = ['-c', `ulimit -c 0; ulimit -d ${dataLimitKib} && exec "$0" "$@"`, findWorkerd()]
    return {
      name,
      ...(role === 'state'
        ? { command: findWorkerd(), args }
        : { command: '/bin/sh', args: [...limit, ...args] }),
      env: () => ({
        ...this.#options.env(berth.description),
        ...(publicSocket && { SKERRY_BOARD: randomBytes(32).toString('hex') }),
      }),
      fds: publicSocket ? [listenFd] : [],
      sockets: sockets.map(openedAs),
      waitUntilHealthy: signal => {
        const socketPath = this.#socket(berth.description, 'health')
        const publish = () => {
          for (const path of sockets) renameSync(openedAs(path), path)
        }
        const awaited = { openedAs: openedAs(socketPath), socketPath, publish }
        return waitUntilReady(awaited, START_DEADLINE_MS, signal)
      },
      guard: (life, signal) => this.#guard(berth, life, signal),
      ended: lastWords => berth.guard?.blameForEnd(lastWords),
      ...(publicSocket && { drain: (life, signal) => this.#drain(berth, life, signal) }),
    }
  }

  #guard(berth: Berth, life: Life, signal: AbortSignal): Promise<string | undefined> {
    const { name, role } = berth.description
    const { log } = this.#options
    const guard = new Guard(life, {
      name,
      healthSocket: this.#socket(berth.description, 'health'),
      healthSocketAtFirst: openedAs(this.#socket(berth.description, 'health')),
      runsFunctions: role !== 'state',
      watch: role === 'state' ? STATE_WATCH : resolveWatchOptions(this.#options.memory(role)),
      rescue: this.#rescue,
      strikes: this.#strikes,
      log,
      replace: why => {
        const replaced = role === 'edge' ? this.#replace(berth, why) : this.#restartInPlace(berth)
        replaced.catch(error => log(`${name} could not be replaced: ${messageOf(error)}`))
      },
    })
    berth.guard = guard
    return guard.run(signal)
  }

  async #drain({ description, guard }: Berth, life: Life, signal: AbortSignal): Promise<void> {
    guard?.rest()
    if (this.#stopping.signal.aborted || description.role === 'all') return this.#finish(life, signal)
    try {
      using memory = ProcessMemory.open(life.pid)
      const healthSocket = this.#socket(description, 'health')
      await this.#rescue.drain({ pid: life.pid, memory, board: guard?.board, healthSocket }, signal)
    } catch (error) {
      this.#options.log(`${description.name}: ${messageOf(error)}`)
    }
  }

  /** Where there is nobody to hand connections over to, the process finishes what it has begun. */
  async #finish({ pid }: Life, signal: AbortSignal): Promise<void> {
    process.kill(pid, 'SIGTERM')
    const none = canRescue() === undefined ? () => hasNoConnection(pid, this.#options.port) : () => false
    while (!signal.aborted && !none()) await delay(20)
  }

  /** Of edges that answer; those that are late last. */
  #frontSockets(): string[] {
    return this.#berths
      .filter(
        ({ description, supervisor, guard }) =>
          description.publicSocket !== undefined &&
          supervisor?.status().state === 'ready' &&
          !guard?.hasKilled,
      )
      .sort((a, b) => Number(a.guard?.isLate ?? false) - Number(b.guard?.isLate ?? false))
      .map(({ description }) => this.#socket(description, 'front'))
  }

  #socket({ name }: ProcessDescription, purpose: SocketPurpose): string {
    return socketPath(this.#options.socketDir, name, purpose)
  }
}

function hasClients({ publicSocket }: ProcessDescription): boolean {
  return publicSocket !== undefined
}

function hasNoConnection(pid: number, port: number): boolean {
  const connections = takeConnections(pid, port)
  for (const connection of connections) connection.close()
  return connections.length === 0
}

/** The paths of a process's Unix sockets. */
function privateSockets({ sockets }: WorkerdConfig, socketDir: string, name: string): string[] {
  return sockets.flatMap(socket =>
    socket.address === undefined ? [] : [socketPath(socketDir, name, socket.name as SocketPurpose)],
  )
}

/** A socket that refuses connections, for the time before its process listens for the first time. */
async function leaveDeadSocket(path: string): Promise<void> {
  if (existsSync(path)) return
  const temporary = openedAs(path)
  rmSync(temporary, { force: true })
  const server = createServer()
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(new Failure(`Cannot listen on ${temporary}: ${error.message}.`)))
    server.listen(temporary, resolve)
  })
  // Closing removes the file it was made as, so this one stays, with nobody behind it.
  renameSync(temporary, path)
  await new Promise(resolve => server.close(resolve))
}

/**
 * The state process runs nobody's code: it is hung when it doesn't answer for far less time than one that may be
 * busy with functions, and the memory it needs it must have.
 */
const STATE_WATCH = resolveWatchOptions(
  { softBytes: Number.POSITIVE_INFINITY, hardBytes: Number.POSITIVE_INFINITY },
  { stuckMs: 3000, blindStuckMs: 3000 },
)

/** At least so often, and so soon after a change. */
const REPORT_MS = 1000
const REPORT_LOOK_MS = 100

/** How long an edge that is replaced may finish what it has begun. */
const DRAIN_MS = 30_000

/** At a stop every edge has ended by then, and with them whoever could wait; at a restart, callers try again. */
const STATE_KILL_AFTER_MS = 200
