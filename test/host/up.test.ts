import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { readProcessIdentity } from '../../host/process-identity.ts'
import { createTempDir, get, type Platform, portOf, readWorkerdPid, startPlatform } from './platform.ts'

const TOKEN = { SKERRY_ADMIN_TOKEN: 'test-token' }

describe('a first start', { timeout: 30_000 }, () => {
  test('prints the token once, keeps secrets private, and says where everything is', async () => {
    const dataDir = join(createTempDir(), 'data')
    const platform = startPlatform({ SKERRY_DATA_DIR: dataDir })
    const port = await portOf(platform)
    await platform.printed(/first function {2}http:\/\/hello\.localhost:\d+/)
    const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
    expect(platform.output().split(token)).toHaveLength(2)
    expect(platform.output()).toContain(dataDir)
    for (const file of ['admin-token', 'master-key', 'lock.json', 'run/skerry.capnp']) {
      expect([file, (statSync(join(dataDir, file)).mode & 0o777).toString(8)]).toEqual([file, '600'])
    }
    const config = readFileSync(join(dataDir, 'run/skerry.capnp'), 'utf8')
    expect(config).not.toContain(token)
    expect(config).not.toContain(readFileSync(join(dataDir, 'master-key'), 'utf8').trim())
    expect(JSON.parse((await get(port, '/env')).body)).toMatchObject({
      ADMIN_TOKEN: token,
      SKERRY_DOMAIN: 'localhost',
      SKERRY_URL: `http://localhost:${port}`,
      SKERRY_HOST_KIND: 'self-host',
      SKERRY_ADOPT: '1',
    })
    expect(JSON.parse((await get(port, '/env')).body)).not.toHaveProperty('INTRANET')
    expect(JSON.parse((await get(port, '/kv')).body)).toEqual(['in kv', null])
  })

  test('deploys hello to the default account, and later starts leave it and the token alone', async () => {
    const dataDir = createTempDir()
    const first = startPlatform({ SKERRY_DATA_DIR: dataDir })
    await first.printed(/first function/)
    await stop(first)

    // A start that deployed it again would have to read the module.
    const second = startPlatform({ SKERRY_DATA_DIR: dataDir, TEST_HELLO: '/nonexistent' })
    const port = await portOf(second)
    await second.printed(/ {2}deploy /)
    const token = readFileSync(join(dataDir, 'admin-token'), 'utf8').trim()
    expect(second.output()).not.toMatch(/warning|first function/)
    expect(second.output()).not.toContain(token)
    const { body } = await get(port, '/uploads', { authorization: `Bearer ${token}` })
    const [[path, upload] = [], ...others] = (JSON.parse(body) as { result: string[][] }).result
    expect(path).toBe(`uploaded:/client/v4/accounts/${'b'.repeat(32)}/workers/scripts/hello`)
    expect(upload).toMatch(
      /^\{"main_module":"index.js","compatibility_date":"\d{4}-\d\d-\d\d"\} export default/,
    )
    expect(others).toEqual([])
  })

  test('goes on with a warning when hello can not be deployed', async () => {
    const platform = startPlatform({ SKERRY_DATA_DIR: createTempDir(), ...TOKEN, TEST_HELLO: '/nonexistent' })
    await platform.printed(/warning: the hello example was not deployed: .*\/nonexistent/)
    expect((await get(await portOf(platform), '/healthz', { host: 'localhost' })).status).toBe(200)
  })
})

describe('a running platform', { timeout: 30_000 }, () => {
  test('is started again after kill -9, on the same port, with what it stored; no connection is refused', async () => {
    const dataDir = createTempDir()
    const platform = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN })
    const port = await portOf(platform)
    expect((await get(port, '/count')).body).toBe('1')
    for (let round = 0; round < 3; round++) {
      const pid = readWorkerdPid(dataDir)
      process.kill(pid, 'SIGKILL')
      await until(() => readProcessIdentity(pid) === undefined)
      // Sent while nobody serves: it waits in the backlog.
      expect((await get(port, '/count')).body).toBe(String(round + 2))
    }
    await platform.printed(/skerry was ended by SIGKILL; starting it again in 50 ms\n/)
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    'ends all its processes within 5 s of %s, exit code 0',
    async signal => {
      const dataDir = createTempDir()
      const platform = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN })
      await portOf(platform)
      const pid = readWorkerdPid(dataDir)
      const startedAtMs = performance.now()
      platform.child.kill(signal)
      expect(await platform.ended()).toBe(0)
      expect(performance.now() - startedAtMs).toBeLessThan(5000)
      expect(readProcessIdentity(pid)).toBeUndefined()
      expect(platform.output()).not.toContain('starting it again')
    },
  )

  test('ends all its processes, exit code 0, when its launcher is gone', async () => {
    const dataDir = createTempDir()
    const platform = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN })
    await portOf(platform)
    const pid = readWorkerdPid(dataDir)
    platform.child.disconnect()
    expect(await platform.ended()).toBe(0)
    expect(readProcessIdentity(pid)).toBeUndefined()
  })

  test('leaves no workerd behind when its supervisor is killed, and the next start works', async () => {
    const dataDir = createTempDir()
    const platform = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN })
    const port = await portOf(platform)
    const pid = readWorkerdPid(dataDir)
    platform.child.kill('SIGKILL')
    await platform.ended()
    await until(() => readProcessIdentity(pid) === undefined)

    const next = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN, SKERRY_PORT: String(port) })
    expect(await portOf(next)).toBe(port)
  })

  test('keeps a second start off its data directory, naming pid and directory', async () => {
    const dataDir = createTempDir()
    const first = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN })
    await portOf(first)
    const second = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN })
    expect(await second.ended()).toBe(1)
    expect(second.output()).toContain(
      `error: The data directory ${dataDir} is in use by process ${first.child.pid} `,
    )
  })
})

describe('a start that fails', { timeout: 60_000 }, () => {
  test('names the port that another program has', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    onTestFinished(() => void server.close())
    await new Promise(resolve => server.once('listening', resolve))
    const { port } = server.address() as AddressInfo
    const platform = startPlatform({ SKERRY_DATA_DIR: createTempDir(), ...TOKEN, SKERRY_PORT: String(port) })
    expect(await platform.ended()).toBe(1)
    expect(platform.output()).toContain(`error: Port ${port} of 127.0.0.1 is in use by another program.`)
  })

  test('exits with 2 for a bad option', async () => {
    const platform = startPlatform({ SKERRY_DATA_DIR: createTempDir(), SKERRY_PORT: 'http' })
    expect(await platform.ended()).toBe(2)
    expect(platform.output()).toContain(
      'error: SKERRY_PORT is "http" but must be a whole number from 0 to 65535',
    )
  })

  test('can be stopped while it waits to try again', async () => {
    const dataDir = createTempDir()
    const platform = startPlatform({ SKERRY_DATA_DIR: dataDir, ...TOKEN, TEST_WORKER: brokenWorker() })
    await platform.printed(/skerry ended with exit code 1; starting it again in \d+ ms/)
    platform.child.kill('SIGTERM')
    expect(await platform.ended()).toBe(0)
  })
})

function brokenWorker(): string {
  const path = join(createTempDir(), 'broken-worker.js')
  writeFileSync(path, 'throw new Error("the stand-in is broken")')
  return path
}

async function stop(platform: Platform): Promise<void> {
  platform.child.kill('SIGTERM')
  expect(await platform.ended()).toBe(0)
}

/** Polls, where the system has no event: another process's children. */
async function until(isTrue: () => boolean): Promise<void> {
  while (!isTrue()) await new Promise(resolve => setTimeout(resolve, 10))
}
