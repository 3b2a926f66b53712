import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import type { Platform } from '../support/client.ts'
import { type RunningPlatform, startPlatform } from '../support/platform.ts'
import type { HostileCase } from './case.ts'
import { NEIGHBOUR, Neighbour } from './neighbour.ts'

/** A platform of its own with two edges, hostile functions in one account and their neighbour in another. */
export interface Arena {
  readonly platform: RunningPlatform
  readonly hostile: Platform
  readonly innocent: Platform
  /** Calls the neighbour, all the time. */
  readonly neighbour: Neighbour
  /** The neighbour's script. */
  readonly neighbourName: string
  /** All scripts, as `account/script`. */
  readonly scripts: readonly string[]
  /** Those that attacks before have accounted for, by id. */
  readonly knownStrikes: Set<string>
  /** A script's directory, as `wrangler deploy` wants it. */
  projectOf(script: string, source: HostileCase['source'], config?: object): string
  close(): Promise<void>
}

const EDGES = 2
/** What runs: edges, the process that holds the state, and that of Durable Objects. */
export const PROCESSES = EDGES + 2
/** Each wrangler wants most of a core for a second, and waits for another. */
const DEPLOYS_AT_ONCE = 4

/** Starts the platform, deploys the neighbour and the functions of these cases with wrangler, and begins to call. */
export async function openArena(cases: readonly HostileCase[]): Promise<Arena> {
  const platform = await startPlatform('start', { env: { SKERRY_PROCESSES: String(EDGES + 1) } })
  const root = mkdtempSync(join(tmpdir(), 'skerry-hostile-'))
  const [hostile, innocent] = await Promise.all([platform.as('hostile'), platform.as('innocent')])
  const projectOf: Arena['projectOf'] = (script, source, config = {}) =>
    writeProject(mkdtempSync(join(root, `${script}-`)), script, source, config)
  const neighbourName = 'neighbour'
  const name = `a neighbour called ${crypto.randomUUID()}`
  const deploys = [
    () => deploy(innocent, projectOf(neighbourName, NEIGHBOUR, { vars: { NAME: name } })),
    ...cases.map(({ name, source, config, companions = {} }) => async () => {
      for (const [companion, code] of Object.entries(companions))
        await deploy(hostile, projectOf(companion, code))
      await deploy(hostile, projectOf(name, source, config))
    }),
  ]
  await inParallel(DEPLOYS_AT_ONCE, deploys)
  const host = `${neighbourName}.${innocent.domain}:${platform.port}`
  const neighbour = new Neighbour({ port: platform.port, host, name })
  await neighbour.start()
  return {
    ...{ platform, hostile, innocent, neighbour, neighbourName, projectOf, knownStrikes: new Set() },
    scripts: [
      `${innocent.accountId}/${neighbourName}`,
      ...cases
        .flatMap(({ name, companions = {} }) => [name, ...Object.keys(companions)])
        .map(name => `${hostile.accountId}/${name}`),
    ],
    close: async () => {
      neighbour.stop()
      await platform.stop()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

async function deploy(platform: Platform, dir: string): Promise<void> {
  const { code, all } = await platform.wrangler(['deploy'], { cwd: dir })
  if (code !== 0) throw new Error(`wrangler deploy in ${dir} ended with ${code}:\n${all}`)
}

function writeProject(dir: string, name: string, source: HostileCase['source'], config: object): string {
  const files = typeof source === 'string' ? { 'index.js': source } : source
  const settings = { name, main: 'index.js', compatibility_date: '2026-11-01', ...config }
  for (const [path, content] of Object.entries({ 'wrangler.json': JSON.stringify(settings), ...files })) {
    mkdirSync(dirname(join(dir, path)), { recursive: true })
    writeFileSync(join(dir, path), content)
  }
  return dir
}

async function inParallel(width: number, tasks: readonly (() => Promise<void>)[]): Promise<void> {
  const left = [...tasks]
  const work = async () => {
    for (let task = left.shift(); task; task = left.shift()) await task()
  }
  await Promise.all(Array.from({ length: width }, work))
}
