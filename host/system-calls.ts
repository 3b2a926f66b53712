import { closeSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'

/**
 * The few system calls that Node lacks, through koffi. Linux on x64 and arm64; loaded at first use, so that other
 * systems never do.
 */

/** What the kernel knows of a TCP connection: tcp(7), TCP_INFO. */
export interface TcpInfo {
  /** As in {@link TCP}. */
  readonly state: number
  readonly bytesReceived: number
  /** Sent at all, acknowledged or not. */
  readonly bytesSent: number
  /** Milliseconds since something was sent, or since the connection was made. */
  readonly quietMs: number
}

/** States of a TCP connection, as in linux/tcp.h. */
export const TCP = { established: 1, closeWait: 8 } as const

/**
 * Why connections can't be taken over from another process here; `undefined` if they can.
 *
 * Tried on a pipe's end of our own: containers may forbid the calls that the kernel has.
 */
export function canRescue(): string | undefined {
  reason ??= findReason()
  return reason || undefined
}

/** A handle of a process, to be closed with `closeSync`: it means that process even when its pid is used again. */
export function openProcess(pid: number): number {
  return check('pidfd_open', calls().syscall(PIDFD_OPEN, 'int', pid, 'uint', 0))
}

/**
 * A duplicate of another process's descriptor, closed at exec. The process may be stopped.
 *
 * @param process from `openProcess`
 * @throws EBADF if it has no such descriptor, EPERM if it isn't ours to look into, ESRCH if it has ended
 */
export function takeDescriptor(process: number, descriptor: number): number {
  return check('pidfd_getfd', calls().syscall(PIDFD_GETFD, 'int', process, 'int', descriptor, 'uint', 0))
}

/** Bytes that have arrived and nobody has read. */
export function unreadBytes(descriptor: number): number {
  const count = Buffer.alloc(4)
  check('ioctl', calls().ioctl(descriptor, FIONREAD, 'void *', count))
  return count.readInt32LE()
}

/**
 * What the kernel knows of a connection.
 *
 * @throws Error of a kernel before 4.19, which doesn't count what it sent
 */
export function tcpInfo(descriptor: number): TcpInfo {
  const info = Buffer.alloc(256)
  const length = sizeOf(info)
  check('getsockopt', calls().getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, length))
  if (length.readUInt32LE() < BYTES_SENT + 8) throw new Error('getsockopt: TCP_INFO is too short')
  const state = info.readUInt8(0)
  const received = Number(info.readBigUInt64LE(BYTES_RECEIVED))
  return {
    state,
    // The client's end of the stream counts as one.
    bytesReceived: state === TCP.closeWait ? received - 1 : received,
    bytesSent: Number(info.readBigUInt64LE(BYTES_SENT)),
    quietMs: info.readUInt32LE(LAST_DATA_SENT),
  }
}

/** The address of one end of a connection, as `address:port`; `undefined` if it is no TCP connection. */
export function addressOf(descriptor: number, end: 'local' | 'remote'): SocketAddress | undefined {
  const address = Buffer.alloc(128)
  const { getsockname, getpeername } = calls()
  const read = end === 'local' ? getsockname : getpeername
  if (read(descriptor, address, sizeOf(address)) !== 0) return undefined
  const family = address.readUInt16LE(0)
  const port = address.readUInt16BE(2)
  if (family === AF_INET) return { text: `${address.subarray(4, 8).join('.')}:${port}`, port }
  if (family !== AF_INET6) return undefined
  const groups = Array.from({ length: 8 }, (_, i) => address.readUInt16BE(8 + 2 * i).toString(16))
  return { text: `[${groups.join(':')}]:${port}`, port }
}

/** An address of the internet. */
export interface SocketAddress {
  /** `address:port`; IPv6 in brackets, all eight groups. */
  readonly text: string
  readonly port: number
}

interface Calls {
  readonly syscall: (number: number, ...typedArguments: unknown[]) => number
  readonly ioctl: (descriptor: number, request: number, ...typedArguments: unknown[]) => number
  readonly getsockopt: (
    descriptor: number,
    level: number,
    option: number,
    value: Buffer,
    length: Buffer,
  ) => number
  readonly getsockname: (descriptor: number, address: Buffer, length: Buffer) => number
  readonly getpeername: (descriptor: number, address: Buffer, length: Buffer) => number
  readonly errno: () => number
}

// The same numbers on x64 and arm64.
const PIDFD_OPEN = 434
const PIDFD_GETFD = 438
const FIONREAD = 0x541b
const IPPROTO_TCP = 6
const TCP_INFO = 11
const AF_INET = 2
const AF_INET6 = 10
/** Offsets in struct tcp_info. */
const LAST_DATA_SENT = 44
const BYTES_RECEIVED = 128
const BYTES_SENT = 200

let loaded: Calls | undefined
/** Empty: there is none. */
let reason: string | undefined

function calls(): Calls {
  loaded ??= load()
  return loaded
}

function load(): Calls {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi')
  const libc = koffi.load(null)
  return {
    syscall: libc.func('long syscall(long number, ...)'),
    ioctl: libc.func('int ioctl(int descriptor, unsigned long request, ...)'),
    getsockopt: libc.func('int getsockopt(int descriptor, int level, int option, void *value, void *length)'),
    getsockname: libc.func('int getsockname(int descriptor, void *address, void *length)'),
    getpeername: libc.func('int getpeername(int descriptor, void *address, void *length)'),
    errno: () => koffi.errno(),
  }
}

function findReason(): string {
  const { platform, arch } = process
  if (platform !== 'linux') return `${platform} has no call to take over another process's descriptors`
  if (arch !== 'x64' && arch !== 'arm64') return `${arch} is none of x64 and arm64`
  try {
    const self = openProcess(process.pid)
    try {
      closeSync(takeDescriptor(self, self))
    } finally {
      closeSync(self)
    }
    return ''
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function sizeOf(buffer: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeUInt32LE(buffer.byteLength)
  return size
}

function check(what: string, result: number): number {
  if (result >= 0) return result
  const errno = calls().errno()
  const code = Object.entries(constants.errno).find(([, value]) => value === errno)?.[0] ?? `error ${errno}`
  throw Object.assign(new Error(`${what}: ${code}`), { code, syscall: what })
}
