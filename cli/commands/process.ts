import { setTimeout as delay } from 'node:timers/promises'
import { Failure } from '../../host/failure.ts'
import type { ProcessStatus } from '../../src/core/processes.ts'
import { type Client, createClient } from '../client.ts'
import type { Command, Output } from '../command.ts'

interface Listing {
  readonly processes: readonly ProcessStatus[]
  readonly updated_on: string | null
}

const status: Command = {
  name: 'status',
  summary: 'Show the processes of the running platform',
  async run({ env, cwd, output }) {
    const listing = await readListing(createClient(env, cwd))
    printListing(listing, output)
    return listing.processes.every(({ state }) => state === 'ready') ? 0 : 1
  },
}

const restart: Command = {
  name: 'restart',
  summary: 'Replace every process by a new one, one by one, without failing a request',
  async run({ env, cwd, output }) {
    const client = createClient(env, cwd)
    const before = await readListing(client)
    await client.skerry('POST', '/processes/restart')
    const after = await waitForNew(client, new Set(before.processes.map(({ pid }) => pid)))
    printListing(after, output)
    return 0
  },
}

/** The supervisor drains edges for so long at most, and there may be many. */
const RESTART_MS = 10 * 60 * 1000

async function waitForNew(client: Client, old: ReadonlySet<number | null>): Promise<Listing> {
  for (const endMs = Date.now() + RESTART_MS; Date.now() < endMs; await delay(200)) {
    // The state process is replaced too, and answers nothing meanwhile.
    const listing = await readListing(client).catch(() => undefined)
    if (!listing?.processes.length) continue
    if (listing.processes.every(({ pid, state }) => state === 'ready' && !old.has(pid))) return listing
  }
  throw new Failure("The processes were not replaced in time. The platform's log says why.")
}

async function readListing(client: Client): Promise<Listing> {
  return (await client.skerry('GET', '/processes')) as Listing
}

function printListing(listing: Listing, output: Output): void {
  const rows = listing.processes.map(process => [
    process.name,
    process.role,
    process.state,
    process.pid === null ? '' : String(process.pid),
    process.started_on ? toAge(Date.now() - Date.parse(process.started_on)) : '',
    process.rss_bytes === null ? '' : `${Math.round(process.rss_bytes / 1024 / 1024)} MB`,
    process.isolates === null ? '' : `${process.isolates}/${process.isolates_ever}`,
    String(process.restarts),
    process.last_end ? `${process.last_end.at} ${process.last_end.reason}` : '',
  ])
  const headings = ['NAME', 'ROLE', 'STATE', 'PID', 'UP', 'MEMORY', 'ISOLATES/EVER', 'RESTARTS', 'LAST END']
  output.table(listing, headings, rows, 'No supervisor runs this platform (wrangler dev, or Cloudflare).')
}

function toAge(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000))
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} d`
}

/** `skerry status`, `skerry restart` */
export const processCommands: readonly Command[] = [status, restart]
