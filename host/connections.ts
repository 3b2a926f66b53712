import { closeSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { canonicalAddress } from '../src/core/board.ts'
import { addressOf, openProcess, type TcpInfo, takeDescriptor, tcpInfo, unreadBytes } from './system-calls.ts'

/** A client's connection, held by the process that serves it and by us. */
export class Connection {
  /** Ours: closing it closes the connection, once the process has let go of it too. */
  readonly descriptor: number
  /** Tells the connection from every other one of the system. */
  readonly inode: string
  /** The client's `address:port`, as the board has it. */
  readonly client: string

  constructor(descriptor: number, inode: string, client: string) {
    this.descriptor = descriptor
    this.inode = inode
    this.client = client
  }

  /** Bytes that have arrived and that the process hasn't read. */
  unread(): number {
    return unreadBytes(this.descriptor)
  }

  info(): TcpInfo {
    return tcpInfo(this.descriptor)
  }

  close(): void {
    closeSync(this.descriptor)
  }
}

/**
 * Duplicates the connections that a process has accepted at a port. What it has connected to itself, and its
 * listening sockets, are none of ours. Best while it is stopped: else some may come or go meanwhile.
 *
 * @throws the system's EPERM if the process isn't ours to look into, ESRCH if it is gone
 */
export function takeConnections(pid: number, port: number): Connection[] {
  const handle = openProcess(pid)
  try {
    return [...listSockets(pid)].flatMap(([inode, descriptor]) => {
      const taken = take(handle, descriptor, inode, port)
      return taken ? [taken] : []
    })
  } finally {
    closeSync(handle)
  }
}

/**
 * Stops a process, and waits until it has stopped: that takes a moment where it runs on another core.
 *
 * @throws Error if it doesn't, ENOENT or ESRCH if it is gone
 */
export function stopProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  for (const endMs = performance.now() + STOP_MS; performance.now() < endMs; ) {
    if (readState(pid) === 'T') return
    // On a busy machine it has to get a core to stop: not ours, meanwhile.
    Atomics.wait(NEVER, 0, 0, PAUSE_MS)
  }
  throw new Error(`process ${pid} did not stop within ${STOP_MS} ms`)
}

/**
 * The state of a process's main thread, as in proc_pid_stat(5): `R` it has something to do, `S` it waits, `T` it
 * is stopped.
 *
 * @throws ENOENT or ESRCH if it is gone
 */
export function readState(pid: number): string | undefined {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  // The state follows the program's name, which may hold anything but ends with the last parenthesis.
  return stat[stat.lastIndexOf(')') + 2]
}

/** On a busy machine a process may wait long for the core that it stops on; else it takes no millisecond. */
const STOP_MS = 400
const PAUSE_MS = 0.2
const NEVER = new Int32Array(new SharedArrayBuffer(4))

/** The sockets that a process holds: a descriptor of each, by inode. Empty if it is gone. */
export function listSockets(pid: number): Map<string, number> {
  const directory = `/proc/${pid}/fd`
  const sockets = new Map<string, number>()
  for (const name of readNames(directory)) {
    const inode = /^socket:\[(\d+)\]$/.exec(readLink(`${directory}/${name}`))?.[1]
    if (inode) sockets.set(inode, Number(name))
  }
  return sockets
}

function take(handle: number, descriptor: number, inode: string, port: number): Connection | undefined {
  let ours: number
  try {
    ours = takeDescriptor(handle, descriptor)
  } catch {
    // Closed in the meantime.
    return undefined
  }
  const isAccepted = addressOf(ours, 'local')?.port === port
  const client = isAccepted ? canonicalAddress(addressOf(ours, 'remote')?.text ?? '') : undefined
  if (client) return new Connection(ours, inode, client)
  closeSync(ours)
  return undefined
}

function readNames(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

function readLink(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}
