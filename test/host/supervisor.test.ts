import { expect, onTestFinished, test } from 'vitest'
import { readProcessIdentity } from '../../host/process-identity.ts'
import { type SupervisedProcess, Supervisor, type SupervisorTimes } from '../../host/supervisor.ts'
import { createTempDir } from './platform.ts'

const FAST = { backoffMinMs: 1, backoffMaxMs: 4, backoffMaxOnceHealthyMs: 4, killAfterMs: 100 }

interface Setup {
  readonly script: string
  readonly times?: Partial<SupervisorTimes>
  readonly waitUntilHealthy?: SupervisedProcess['waitUntilHealthy']
}

function createSupervisor({ script, times, waitUntilHealthy }: Setup) {
  const lines: string[] = []
  const log = (line: string) => void lines.push(line)
  const supervisor = new Supervisor(
    {
      name: 'unit',
      command: '/bin/sh',
      args: ['-c', script],
      env: () => ({ PATH: process.env.PATH ?? '' }),
      fds: [],
      waitUntilHealthy: waitUntilHealthy ?? (async () => undefined),
    },
    { runDir: createTempDir(), log: Object.assign(log, { line: () => {} }), times: { ...FAST, ...times } },
  )
  onTestFinished(async () => {
    supervisor.kill()
    await supervisor.stop()
  })
  return { supervisor, lines }
}

const never = (signal: AbortSignal) =>
  new Promise<string>(resolve => signal.addEventListener('abort', () => resolve('stopped')))

test('Supervisor gives up after ten starts that never became healthy, with the last error lines', async () => {
  const { supervisor, lines } = createSupervisor({
    script: 'echo "cannot do it" >&2; exit 3',
    waitUntilHealthy: never,
  })
  await expect(supervisor.start()).rejects.toThrow(
    'unit did not start in 10 tries; it ended with exit code 3. Its last lines:\n  cannot do it',
  )
  expect(lines).toEqual(
    [1, 2, 4, 4, 4, 4, 4, 4, 4].map(ms => `unit ended with exit code 3; starting it again in ${ms} ms`),
  )
})

test('Supervisor kills a process that does not become healthy, and says what it answered', async () => {
  const { supervisor, lines } = createSupervisor({
    script: 'exec sleep 60',
    times: { maxFirstStarts: 2 },
    waitUntilHealthy: async () => 500,
  })
  await expect(supervisor.start()).rejects.toThrow('it did not become healthy (/healthz: 500)')
  expect(lines).toEqual(['unit did not become healthy (/healthz: 500); starting it again in 1 ms'])
})

test('Supervisor names a program that is not there', async () => {
  const missing = new Supervisor(
    {
      name: 'unit',
      command: '/nonexistent/workerd',
      args: [],
      env: () => ({}),
      fds: [],
      waitUntilHealthy: never,
    },
    {
      runDir: createTempDir(),
      log: Object.assign(() => {}, { line: () => {} }),
      times: { maxFirstStarts: 1 },
    },
  )
  await expect(missing.start()).rejects.toThrow('spawn /nonexistent/workerd ENOENT')
})

test('Supervisor never gives up on a process that was ready once', async () => {
  const { supervisor, lines } = createSupervisor({ script: 'exec sleep 60', times: { maxFirstStarts: 1 } })
  await supervisor.start()
  for (let round = 1; round <= 12; round++) {
    const { pid } = supervisor
    process.kill(pid ?? 0, 'SIGKILL')
    await expect.poll(() => supervisor.pid !== undefined && supervisor.pid !== pid).toBe(true)
  }
  expect(lines).toHaveLength(12)
  expect(lines[0]).toBe('unit was ended by SIGKILL; starting it again in 1 ms')
  expect(lines[11]).toBe('unit was ended by SIGKILL; starting it again in 4 ms')
})

test('Supervisor waits its shortest again after a process was healthy for long enough', async () => {
  const { supervisor, lines } = createSupervisor({ script: 'exec sleep 60', times: { backoffResetMs: 0 } })
  await supervisor.start()
  for (let round = 1; round <= 3; round++) {
    const { pid } = supervisor
    process.kill(pid ?? 0, 'SIGKILL')
    await expect.poll(() => supervisor.pid !== undefined && supervisor.pid !== pid).toBe(true)
    // Healthy in the next turn, and from then on long enough.
    await new Promise(resolve => setImmediate(resolve))
  }
  expect(lines.map(line => line.slice(-4))).toEqual(['1 ms', '1 ms', '1 ms'])
})

test('Supervisor.stop() ends a process that ignores SIGTERM', async () => {
  const { supervisor, lines } = createSupervisor({ script: 'trap "" TERM; while :; do sleep 0.1; done' })
  await supervisor.start()
  const pid = supervisor.pid ?? 0
  await supervisor.stop()
  expect(readProcessIdentity(pid)).toBeUndefined()
  expect(lines).toEqual([])
})
