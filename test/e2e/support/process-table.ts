import { readdirSync, readFileSync } from 'node:fs'

/** A process, as the system describes it. */
export interface SystemProcess {
  readonly pid: number
  /** Its program and arguments. */
  readonly command: string
}

/** Memory of some processes together, in bytes. */
export interface Memory {
  /** Shared pages counted in proportion: the parts add up. */
  readonly pss: number
  /** Shared pages counted in each. */
  readonly rss: number
}

/** Every process that a platform of this data directory started, its supervisor included; Linux only. */
export function findProcesses(dataDir: string): SystemProcess[] {
  return listPids().flatMap(pid => {
    const command = readProc(pid, 'cmdline').replaceAll('\0', ' ').trim()
    const environment = readProc(pid, 'environ').split('\0')
    // workerd has the path of its configuration as argument; Node, and whatever it started, the variable.
    const isOurs = command.includes(`${dataDir}/`) || environment.includes(`SKERRY_DATA_DIR=${dataDir}`)
    return isOurs && command ? [{ pid, command }] : []
  })
}

/** A process and all that it started, as far as that is still its own. */
export function listTree(root: number): number[] {
  const children = Map.groupBy(listPids(), parentOf)
  const tree = [root]
  for (const pid of tree) tree.push(...(children.get(pid) ?? []))
  return tree
}

/** What processes have in memory; those that have ended count nothing. */
export function readMemory(pids: readonly number[]): Memory {
  let pss = 0
  let rss = 0
  for (const pid of pids) {
    const text = readProc(pid, 'smaps_rollup')
    pss += readKilobytes(text, 'Pss')
    rss += readKilobytes(text, 'Rss')
  }
  return { pss: pss * 1024, rss: rss * 1024 }
}

function listPids(): number[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(Number)
}

function parentOf(pid: number): number {
  // The program's name comes first, in brackets, and may hold anything.
  const [, parent] = readProc(pid, 'stat')
    .replace(/^.*\) /s, '')
    .split(' ')
  return Number(parent ?? 0)
}

function readKilobytes(text: string, field: string): number {
  return Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(text)?.[1] ?? 0)
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    // It has ended.
    return ''
  }
}
