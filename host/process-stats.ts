import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { endianness } from 'node:os'

/** What the system says of a process. */
export interface ProcessStats {
  /** Resident memory. */
  readonly rssBytes: number
  /** Mapped privately to be written, as `ulimit -d` counts it, and the stack. Absent without /proc. */
  readonly dataBytes?: number
  /** CPU time of all threads since it started; of 10 ms precision. */
  readonly cpuMs: number
  /**
   * CPU time of the first thread, the one that runs JavaScript in workerd; of microsecond precision, as of the
   * system's last tick (4 ms). Absent without /proc, or where the kernel doesn't count it.
   */
  readonly threadMs?: number
  /** Milliseconds since the epoch; of 10 ms precision, a second without /proc. */
  readonly startedAtMs: number
}

/** Reads the stats of a process; `undefined` if there is none (a zombie counts as none), or nothing is known yet. */
export type ReadProcessStats = (pid: number) => ProcessStats | undefined

/** How old a reading of `ps` may be: starting a program takes milliseconds. */
const PS_PERIOD_MS = 1000

/**
 * A reader for this system. From /proc it takes some 30 µs. Elsewhere it asks `ps`, in the background and at most
 * once a second for a process, and gives the last answer; nothing the first time.
 */
export function createStatsReader(platform: NodeJS.Platform = process.platform): ReadProcessStats {
  return platform === 'linux' ? readProc : createPsReader()
}

/** What the system says of a process now. */
export const readProcessStats: ReadProcessStats = createStatsReader()

function readProc(pid: number): ProcessStats | undefined {
  if (!Number.isInteger(pid) || pid < 1) return undefined
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The program's name, in parentheses, may hold anything; what follows begins with field 3 (proc_pid_stat(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    const [, resident, , , , data] = readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')
    const { pageBytes, ticksPerSecond, bootedAtMs } = systemFacts()
    const toMs = (ticks: string | undefined) => (Number(ticks) * 1000) / ticksPerSecond
    const threadMs = readThreadMs(pid)
    return {
      rssBytes: Number(resident) * pageBytes,
      dataBytes: Number(data) * pageBytes,
      cpuMs: toMs(fields[11]) + toMs(fields[12]),
      ...(threadMs !== undefined && { threadMs }),
      startedAtMs: bootedAtMs + toMs(fields[19]),
    }
  } catch {
    return undefined
  }
}

function readThreadMs(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
  } catch {
    return undefined
  }
}

interface SystemFacts {
  readonly pageBytes: number
  readonly ticksPerSecond: number
  readonly bootedAtMs: number
}

let facts: SystemFacts | undefined

function systemFacts(): SystemFacts {
  facts ??= readSystemFacts()
  return facts
}

/** From the auxiliary vector, as arm64 has pages of 4, 16 or 64 KiB. */
function readSystemFacts(): SystemFacts {
  const vector = readFileSync('/proc/self/auxv')
  const find = (type: bigint, otherwise: number) => {
    for (let at = 0; at + 16 <= vector.length; at += 16) {
      if (readWord(vector, at) === type) return Number(readWord(vector, at + 8))
    }
    return otherwise
  }
  const [, bootedAt] = /^btime (\d+)$/m.exec(readFileSync('/proc/stat', 'utf8')) ?? []
  const AT_PAGESZ = 6n
  const AT_CLKTCK = 17n
  return {
    pageBytes: find(AT_PAGESZ, 4096),
    ticksPerSecond: find(AT_CLKTCK, 100),
    bootedAtMs: Number(bootedAt) * 1000,
  }
}

function readWord(bytes: Buffer, at: number): bigint {
  return endianness() === 'LE' ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)
}

function createPsReader(): ReadProcessStats {
  const known = new Map<number, { askedAtMs: number; stats: ProcessStats | undefined }>()
  return pid => {
    const nowMs = performance.now()
    const entry = known.get(pid) ?? { askedAtMs: Number.NEGATIVE_INFINITY, stats: undefined }
    if (nowMs - entry.askedAtMs < PS_PERIOD_MS) return entry.stats
    entry.askedAtMs = nowMs
    known.set(pid, entry)
    const args = ['-o', 'rss=', '-o', 'time=', '-o', 'lstart=', '-p', String(pid)]
    execFile('ps', args, { env: { ...process.env, LC_ALL: 'C' } }, (error, stdout) => {
      entry.stats = error ? undefined : parsePsLine(stdout)
      if (!entry.stats) known.delete(pid)
    })
    return entry.stats
  }
}

/**
 * A line of `ps -o rss= -o time= -o lstart=`: KiB, CPU time as `[[days-]hours:]minutes:seconds[.hundredths]`,
 * and when it started, in local time. `undefined` for anything else.
 */
export function parsePsLine(text: string): ProcessStats | undefined {
  const [, rss, time, started] = /^\s*(\d+)\s+([\d:.-]+)\s+(\S.*\S)\s*$/.exec(text) ?? []
  const [, days, hours, minutes, seconds] =
    /^(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)$/.exec(time ?? '') ?? []
  const startedAtMs = Date.parse(started ?? '')
  if (rss === undefined || minutes === undefined || Number.isNaN(startedAtMs)) return undefined
  const totalMinutes = (Number(days ?? 0) * 24 + Number(hours ?? 0)) * 60 + Number(minutes)
  return {
    rssBytes: Number(rss) * 1024,
    cpuMs: Math.round((totalMinutes * 60 + Number(seconds)) * 1000),
    startedAtMs,
  }
}
