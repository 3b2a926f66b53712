import { spawnSync } from 'node:child_process'
import { lookup } from 'node:dns/promises'
import { BoundSocket, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { Failure, messageOf, systemCodeOf } from './failure.ts'

/** The platform's listening socket, owned by the supervisor. */
export interface Listener {
  /** The port, chosen by the system if 0 was asked for. */
  readonly port: number
  /** The descriptor to hand to workerd processes; several may share it. */
  readonly fd: number
  close(): void
}

/**
 * Opens the socket that workerd processes inherit. The supervisor keeps it open while they come and go, so a
 * connection made during a restart waits in the backlog instead of being refused.
 *
 * @throws Failure that names SKERRY_HOST or SKERRY_PORT
 */
export async function openListener(host: string, port: number): Promise<Listener> {
  const socket = bind(await resolveAddress(host), host, port)
  const address = socket.address()
  if (typeof address === 'string') throw new TypeError('a TCP socket has an address object')
  // BoundSocket can bind but not listen, and a server of this process would take connections off workerd. So
  // another Node calls listen(2) on the shared descriptor and leaves before it could accept anything.
  const listen = 'require("node:net").createServer().listen({ fd: 3, backlog: 1024 }, () => process.exit(0))'
  const { status } = spawnSync(process.execPath, ['-e', listen], {
    stdio: ['ignore', 'ignore', 'inherit', socket.fd()],
    env: {},
  })
  if (status !== 0) {
    socket.close()
    throw inUse(host, address.port)
  }
  return { port: address.port, fd: socket.fd(), close: () => socket[Symbol.dispose]() }
}

/** Every address and port, as `host:port`, at which a listener on `host` is reached from this machine. */
export function listenAddresses(host: string, port: number): string[] {
  const all = Object.values(networkInterfaces()).flatMap(found => found ?? [])
  const isWildcard = host === '0.0.0.0' || host === '::'
  const addresses = isWildcard ? ['127.0.0.1', '::1', ...all.map(({ address }) => address)] : [host]
  return [...new Set(addresses)].map(address => `${isIP(address) === 6 ? `[${address}]` : address}:${port}`)
}

async function resolveAddress(host: string): Promise<string> {
  if (isIP(host)) return host
  try {
    return (await lookup(host)).address
  } catch (error) {
    throw new Failure(
      `SKERRY_HOST is "${host}", which resolves to no address (${messageOf(error)}). Use an IP address, e.g. 127.0.0.1.`,
      2,
      { cause: error },
    )
  }
}

function bind(address: string, host: string, port: number): BoundSocket {
  try {
    return new BoundSocket({ host: address, port })
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'EADDRINUSE') throw inUse(host, port, error)
    const fix =
      code === 'EACCES'
        ? 'Ports below 1024 need a privilege: choose a higher SKERRY_PORT.'
        : 'Set SKERRY_HOST to an address of this machine, e.g. 127.0.0.1.'
    throw new Failure(`Cannot listen on ${host} port ${port}: ${messageOf(error)}. ${fix}`, 1, {
      cause: error,
    })
  }
}

function inUse(host: string, port: number, cause?: unknown): Failure {
  return new Failure(
    `Port ${port} of ${host} is in use by another program. Stop it, or set SKERRY_PORT to another port (0 = any free one).`,
    1,
    { cause },
  )
}
