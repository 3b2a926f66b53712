import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { Embedded, toCapnpText } from '../../host/config.ts'
import { type Listener, openListener } from '../../host/listener.ts'
import { ProcessMemory } from '../../host/process-memory.ts'
import { type Blame, type BoardPlace, findBoard, Rescue } from '../../host/rescue.ts'
import { findWorkerd } from '../../host/workerd.ts'
import { bundleModule } from '../support/workerd.ts'

/** A workerd process that shares the listener: `test/worker/rescue.ts` in it. */
export interface TestEdge {
  readonly name: string
  readonly pid: number
  readonly mark: string
  readonly front: string
  readonly health: string
  readonly exited: Promise<unknown>
  readonly board: BoardPlace
}

/** Edges on one listener, and the rescue that watches over them. */
export class TestEdges {
  readonly port: number
  readonly rescue: Rescue
  readonly log: string[] = []
  readonly #dir = mkdtempSync(join(tmpdir(), 'edges-test-'))
  readonly #listener: Listener
  readonly #children: ChildProcess[] = []
  readonly #live: TestEdge[] = []

  private constructor(listener: Listener) {
    this.#listener = listener
    this.port = listener.port
    this.rescue = new Rescue({
      port: listener.port,
      frontSockets: () => this.#live.map(({ front }) => front),
      log: line => this.log.push(line),
    })
  }

  static async open(): Promise<TestEdges> {
    const edges = new TestEdges(await openListener('127.0.0.1', 0))
    writeFileSync(join(edges.#dir, 'worker.js'), await bundleModule('test/worker/rescue.ts'))
    return edges
  }

  async start(name: string): Promise<TestEdge> {
    const [front, health] = [join(this.#dir, `${name}.front`), join(this.#dir, `${name}.health`)]
    const mark = randomBytes(32).toString('hex')
    const configFile = join(this.#dir, `${name}.capnp`)
    writeFileSync(configFile, toCapnpText(describe(name, front, health)))
    const child = spawn(findWorkerd(), ['serve', '--experimental', '--socket-fd', 'http=3', configFile], {
      stdio: ['ignore', 'inherit', 'inherit', this.#listener.fd],
      env: { SKERRY_BOARD: mark },
    })
    this.#children.push(child)
    const exited = once(child, 'exit')
    const pid = child.pid ?? 0
    while (!(await beat(health))) await delay(10)
    using memory = ProcessMemory.open(pid)
    const board = findBoard(memory, mark)
    if (!board) throw new Error(`${name} has no board`)
    const edge = { name, pid, mark, front, health, exited, board }
    this.#live.push(edge)
    return edge
  }

  /** Two heartbeats, far enough apart for the board to have the heads of what waits. */
  async sweep(edge: TestEdge): Promise<void> {
    await beat(edge.health)
    await beat(edge.health)
  }

  /** Ends an edge as the supervisor ends one that hangs; resolves when it is gone. */
  async kill(edge: TestEdge, blame: Blame): Promise<void> {
    this.#live.splice(this.#live.indexOf(edge), 1)
    process.kill(edge.pid, 'SIGSTOP')
    using memory = ProcessMemory.open(edge.pid)
    const captured = this.rescue.takeOver(edge.pid, edge.board, memory)
    process.kill(edge.pid, 'SIGKILL')
    this.rescue.settle(captured, blame)
    await edge.exited
  }

  /** Ends an edge in good order, or by SIGKILL when the time is up; resolves when it is gone. */
  async drain(edge: TestEdge, timeoutMs: number): Promise<void> {
    this.#live.splice(this.#live.indexOf(edge), 1)
    using memory = ProcessMemory.open(edge.pid)
    const late = new AbortController()
    const timer = setTimeout(() => {
      process.kill(edge.pid, 'SIGKILL')
      late.abort()
    }, timeoutMs)
    const { pid, board, health } = edge
    await this.rescue.drain({ pid, board, memory, healthSocket: health }, late.signal)
    await edge.exited
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      const exited = once(child, 'exit')
      child.kill('SIGKILL')
      await exited
    }
    this.#listener.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** Asks for health once. Whether it answered, within a quarter of a second. */
export function beat(socketPath: string): Promise<boolean> {
  return new Promise(resolve => {
    const asked = request({ socketPath, agent: false, signal: AbortSignal.timeout(250) }, answer => {
      answer.resume().on('end', () => resolve(answer.statusCode === 200))
    })
    asked.on('error', () => resolve(false))
    asked.end()
  })
}

function describe(name: string, front: string, health: string) {
  const worker = {
    modules: [{ name: 'worker.js', esModule: new Embedded('worker.js') }],
    compatibilityDate: '2026-11-01',
    bindings: [
      { name: 'EDGE', text: name },
      { name: 'SKERRY_BOARD', fromEnvironment: 'SKERRY_BOARD' },
    ],
  }
  return {
    services: [{ name: 'main', worker }],
    sockets: [
      { name: 'http', http: {}, service: 'main' },
      {
        name: 'front',
        address: `unix:${front}`,
        http: {},
        service: { name: 'main', entrypoint: 'Front' },
      },
      {
        name: 'health',
        address: `unix:${health}`,
        http: {},
        service: { name: 'main', entrypoint: 'Health' },
      },
    ],
  }
}
