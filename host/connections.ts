import { closeSync, readdirSync, readlinkSync } from 'node:fs'
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
 * @param known inodes of those that need no duplicate any more
 * @throws the system's EPERM if the process isn't ours to look into, ESRCH if it is gone
 */
export function takeConnections(pid: number, port: number, known?: ReadonlySet<string>): Connection[] {
  const process = openProcess(pid)
  try {
    return [...listSockets(pid)].flatMap(([inode, descriptor]) => {
      const taken = known?.has(inode) ? undefined : take(process, descriptor, inode, port)
      return taken ? [taken] : []
    })
  } finally {
    closeSync(process)
  }
}

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

function take(process: number, descriptor: number, inode: string, port: number): Connection | undefined {
  let ours: number
  try {
    ours = takeDescriptor(process, descriptor)
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
