import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { lockDataDir, readLockOwner } from '../../host/lock.ts'
import { isSameProcess, readProcessIdentity } from '../../host/process-identity.ts'
import { killOrphans, recordProcess } from '../../host/process-record.ts'
import { createTempDir } from './platform.ts'

const LOCK_MODULE = join(import.meta.dirname, '../../host/lock.ts')

test('lockDataDir() refuses a second owner, naming pid and directory, until the first releases', () => {
  const dir = createTempDir()
  const first = lockDataDir(dir)
  expect(() => lockDataDir(dir)).toThrow(
    expect.objectContaining({
      exitCode: 1,
      message: expect.stringMatching(
        new RegExp(`^The data directory ${dir} is in use by process ${process.pid} `),
      ),
    }),
  )
  first.release()
  lockDataDir(dir).release()
})

test('lockDataDir() takes over from an owner that was killed', async () => {
  const dir = createTempDir()
  const owner = await startOwner(dir)
  expect(readLockOwner(dir)).toBe(owner.pid)
  expect(() => lockDataDir(dir)).toThrow(`in use by process ${owner.pid}`)

  owner.kill('SIGKILL')
  await once(owner, 'exit')
  expect(readLockOwner(dir)).toBeUndefined()
  lockDataDir(dir).release()
})

test('lockDataDir() is not deterred by a pid that another program has by now', () => {
  const dir = createTempDir()
  const other = { pid: process.ppid, identity: 'another boot:1', since: '2026-01-01T00:00:00.000Z' }
  writeFileSync(join(dir, 'lock.json'), JSON.stringify(other))
  expect(readLockOwner(dir)).toBeUndefined()
  const lock = lockDataDir(dir)
  onTestFinished(() => lock.release())
  expect(JSON.parse(readFileSync(join(dir, 'lock.json'), 'utf8'))).toMatchObject({ pid: process.pid })
})

test('lockDataDir() lets exactly one of many that start at once have the directory', async () => {
  const dir = createTempDir()
  const code = `import { lockDataDir } from ${JSON.stringify(LOCK_MODULE)}
    try { lockDataDir(${JSON.stringify(dir)}); console.log('mine'); setInterval(() => {}, 1000) } catch { console.log('refused') }`
  const outputs = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code])
      onTestFinished(() => void child.kill('SIGKILL'))
      return String((await once(child.stdout, 'data'))[0]).trim()
    }),
  )
  expect(outputs.toSorted()).toEqual(['mine', 'refused', 'refused', 'refused', 'refused', 'refused'])
})

test('isSameProcess() tells a process from another, and knows when it has ended', async () => {
  const child = spawn('/bin/sleep', ['60'])
  await once(child, 'spawn')
  const pid = child.pid ?? 0
  const identity = readProcessIdentity(pid) ?? ''
  expect(identity).not.toBe('')
  expect(isSameProcess(pid, identity)).toBe(true)
  expect(isSameProcess(process.pid, identity)).toBe(false)

  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isSameProcess(pid, identity)).toBe(false)
})

test.each([0, -1, 1.5, Number.NaN, 2 ** 30])('readProcessIdentity(%d) is undefined', pid => {
  expect(readProcessIdentity(pid)).toBeUndefined()
})

test('killOrphans() kills the recorded process and nothing that has its pid since', async () => {
  const dir = createTempDir()
  const [ours, other] = await Promise.all([startGroup(), startGroup()])
  recordProcess(dir, 'ours', ours.pid)
  writeFileSync(join(dir, 'other.pid.json'), JSON.stringify({ pid: other.pid, identity: 'another boot:1' }))
  writeFileSync(join(dir, 'torn.pid.json'), '{"pid":')

  const ended = once(ours.child, 'exit')
  expect(await killOrphans(dir)).toEqual([ours.pid])
  expect((await ended)[1]).toBe('SIGKILL')
  expect(readProcessIdentity(other.pid)).toBeDefined()
  expect(await killOrphans(dir)).toEqual([])
})

async function startGroup() {
  const child = spawn('/bin/sleep', ['60'], { detached: true })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'spawn')
  return { child, pid: child.pid ?? 0 }
}

async function startOwner(dir: string) {
  const code = `import { lockDataDir } from ${JSON.stringify(LOCK_MODULE)}
    lockDataDir(${JSON.stringify(dir)}); console.log('locked'); setInterval(() => {}, 1000)`
  const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', code])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child.stdout, 'data')
  return child
}
