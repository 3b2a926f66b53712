import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { openHosts } from './support/hosts.ts'

/** Cases that every implementation of the bindings must pass, kept beside this repository; not part of it. */
const VECTORS = join(import.meta.dirname, '../../../shared/vectors/bindings')
const CASES = join(VECTORS, 'cases.dev.json')
const isThere = existsSync(CASES)

interface Case {
  readonly id: string
  readonly group: string
  readonly slow?: boolean
}
const cases: Case[] = isThere ? JSON.parse(readFileSync(CASES, 'utf8')).cases : []
const hosts = isThere ? await openHosts('vectors') : []

/** Where we differ and say so, by case: what replay.mjs then says. */
const DIFFERENCES: Readonly<Record<string, string>> = {
  // The platform needs 8 bytes of each key for itself: bindings/kv/README.md.
  'kv-get-validates-key': '#3 kv.get: err.message "KV GET failed: 414 UTF-8 encoded length of 513 exceeds',
}

test.skipIf(isThere)('binding vectors are skipped: there are none at ../shared/vectors/bindings', () => {})

describe.each(hosts)('binding vectors on `npm $kind`', platform => {
  /** What replay.mjs has against a case, by its id. */
  const failures = new Map<string, string[]>()

  // Once for all: what a case must do is decided by the replay program alone, unchanged.
  beforeAll(async () => {
    const dir = mkdtempSync(join(tmpdir(), 'skerry-vectors-'))
    try {
      cpSync(join(VECTORS, 'driver'), dir, { recursive: true })
      const deployed = await platform.wrangler(['deploy'], { cwd: dir })
      expect(deployed.code, deployed.all).toBe(0)
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
    const { fails } = await replay(platform.url, `binding-driver.${platform.domain}:${platform.port}`)
    for (const fail of fails) {
      const id = cases.find(({ id }) => fail.startsWith(`${id}#`) || fail.startsWith(`${id}:`))?.id ?? '?'
      failures.set(id, [...(failures.get(id) ?? []), fail])
    }
  }, 120_000)

  test.each(cases)('$group: $id', ({ id }) => {
    const { [id]: difference } = DIFFERENCES
    expect(failures.get(id) ?? []).toEqual(difference ? [expect.stringContaining(difference)] : [])
  })

  test('every failure belongs to a case', () => {
    expect(failures.get('?') ?? []).toEqual([])
  })
})

function replay(url: string, host: string): Promise<{ cases: number; fails: string[] }> {
  const { PATH, HOME } = process.env
  const args = [join(VECTORS, 'replay.mjs'), url, '.', '--slow']
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      args,
      { env: { PATH, HOME, HOST: host }, timeout: 110_000 },
      (error, stdout, stderr) => {
        if (error) return reject(new Error(`replay.mjs failed: ${stderr || error.message}`))
        const result = JSON.parse(stdout) as { cases: number; fails: string[] }
        if (result.cases !== cases.length)
          return reject(new Error(`replay.mjs ran ${result.cases} of ${cases.length} cases`))
        resolve(result)
      },
    )
  })
}
