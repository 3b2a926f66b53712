import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { createStatsReader, parsePsLine, readProcessStats } from '../../host/process-stats.ts'

const MIB = 1024 * 1024
const isLinux = process.platform === 'linux'

/** Starts Node with a program that prints a line when it is there. */
async function startNode(program: string) {
  const child = spawn(process.execPath, ['-e', program], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await ended
  })
  await once(child.stdout, 'data')
  const say = async (line: string) => {
    child.stdin.write(`${line}\n`)
    await once(child.stdout, 'data')
  }
  return { pid: child.pid ?? 0, child, ended, say }
}

test('readProcessStats() tells memory, CPU time and start of this process', () => {
  const stats = readProcessStats(process.pid)
  const uptimeMs = process.uptime() * 1000
  expect(stats?.rssBytes).toBeGreaterThan(process.memoryUsage.rss() * 0.8)
  expect(stats?.rssBytes).toBeLessThan(process.memoryUsage.rss() * 1.2)
  expect(Math.abs((stats?.startedAtMs ?? 0) - (Date.now() - uptimeMs))).toBeLessThan(2000)
  const { user, system } = process.cpuUsage()
  expect(Math.abs((stats?.cpuMs ?? 0) - (user + system) / 1000)).toBeLessThan(100)
})

test.runIf(isLinux)('readProcessStats() sees memory that is touched, and data that is not', async () => {
  const { pid, say } = await startNode(`
    const kept = []
    process.stdin.on('data', line => {
      if (String(line) === 'touch\\n') kept.push(Buffer.alloc(${64 * MIB}, 1))
      else kept.push(new WebAssembly.Memory({ initial: 1024 }))
      console.log('done')
    })
    console.log('ready')`)
  const before = readProcessStats(pid)
  await say('touch')
  const touched = readProcessStats(pid)
  await say('map')
  const mapped = readProcessStats(pid)
  const grown = (to = 0, from = 0) => Math.round((to - from) / (16 * MIB)) * 16
  expect([grown(touched?.rssBytes, before?.rssBytes), grown(touched?.dataBytes, before?.dataBytes)]).toEqual([
    64, 64,
  ])
  expect([grown(mapped?.rssBytes, touched?.rssBytes), grown(mapped?.dataBytes, touched?.dataBytes)]).toEqual([
    0, 64,
  ])
})

test.runIf(isLinux)('readProcessStats() counts CPU time of the first thread while it computes', async () => {
  const { pid, say } = await startNode(`
    process.stdin.on('data', () => {
      for (const end = process.cpuUsage().user + 100_000; process.cpuUsage().user < end; );
      console.log('done')
    })
    console.log('ready')`)
  const before = readProcessStats(pid)
  await say('compute')
  const after = readProcessStats(pid)
  expect((after?.threadMs ?? 0) - (before?.threadMs ?? 0)).toBeGreaterThan(50)
  expect((after?.cpuMs ?? 0) - (before?.cpuMs ?? 0)).toBeGreaterThan(50)
})

test('readProcessStats() of a process that has ended, or never was, is undefined', async () => {
  const { pid, child, ended } = await startNode(`console.log('ready'); process.stdin.resume()`)
  expect(readProcessStats(pid)).toBeDefined()
  child.kill('SIGKILL')
  await ended
  expect([pid, 0, -1, 1.5, 2 ** 30].map(one => readProcessStats(one))).toEqual(Array(5).fill(undefined))
})

test('a stats reader without /proc tells nothing at first, then what ps said', async () => {
  const read = createStatsReader('darwin')
  expect(read(process.pid)).toBeUndefined()
  await expect.poll(() => read(process.pid), { timeout: 5000 }).toBeDefined()
  const stats = read(process.pid)
  expect(stats?.rssBytes).toBeGreaterThan(10 * MIB)
  expect(stats?.dataBytes).toBeUndefined()
  expect(Math.abs((stats?.startedAtMs ?? 0) - (Date.now() - process.uptime() * 1000))).toBeLessThan(3000)
})

test.each([
  ['  52344 00:00:07 Fri Nov 21 07:20:01 2026', 52_344 * 1024, 7000],
  [' 1024 1-02:03:04 Fri Nov  1 07:20:01 2026', 1024 * 1024, ((26 * 60 + 3) * 60 + 4) * 1000],
  ['  1024   0:07.42 Fri 21 Nov 07:20:01 2026 ', 1024 * 1024, 7420],
  ['  1024  75:07.42 Fri Nov 21 07:20:01 2026', 1024 * 1024, (75 * 60 + 7) * 1000 + 420],
])('parsePsLine() reads %j', (line, rssBytes, cpuMs) => {
  expect(parsePsLine(line)).toMatchObject({ rssBytes, cpuMs })
  expect(new Date(parsePsLine(line)?.startedAtMs ?? 0).getFullYear()).toBe(2026)
})

test.each(['', 'RSS TIME STARTED', '12 00:00:07 yesterday', '12 7 Fri Nov 21 07:20:01 2026'])(
  'parsePsLine() of %j is undefined',
  line => {
    expect(parsePsLine(line)).toBeUndefined()
  },
)
