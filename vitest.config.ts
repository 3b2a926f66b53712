import { defineConfig } from 'vitest/config'

/** Code that runs inside users' isolates is text to the platform, as its bundlers have it. */
const preludeText = {
  name: 'prelude-text',
  enforce: 'pre' as const,
  transform: (code: string, id: string) =>
    id.endsWith('.prelude.js') ? `export default ${JSON.stringify(code)}` : undefined,
}

/** What is held to a time of the clock, but mostly waits for it: these two at a time. */
const WAITING = ['test/bindings/cron-object.test.ts', 'test/runtime/evict.test.ts']
/** What is held to a time of the clock, and needs it: one after the other, with the machine to itself. */
const TIMED = ['test/host/**/*.test.ts']
const TIMED_E2E = ['test/e2e/crash.test.ts', 'test/e2e/processes.test.ts']

// End-to-end tests run the real wrangler against running platforms: after the others, and two files at a time,
// because each wrangler wants a core. Crashes and hostile functions come last and alone: how long others wait is
// measured.
export default defineConfig({
  test: {
    projects: [
      {
        plugins: [preludeText],
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', ...WAITING, ...TIMED],
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        plugins: [preludeText],
        test: {
          name: 'waiting',
          include: WAITING,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        plugins: [preludeText],
        test: {
          name: 'timed',
          include: TIMED,
          testTimeout: 30_000,
          hookTimeout: 60_000,
          maxWorkers: 1,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/*.test.ts'],
          exclude: TIMED_E2E,
          globalSetup: ['test/e2e/support/global-setup.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          maxWorkers: 2,
          // Tests that run at once do so because they wait.
          maxConcurrency: 14,
          sequence: { groupOrder: 3 },
        },
      },
      {
        test: {
          name: 'timed-e2e',
          include: TIMED_E2E,
          maxWorkers: 1,
          sequence: { groupOrder: 4 },
        },
      },
      {
        test: {
          name: 'hostile',
          include: ['test/e2e/hostile/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 5 },
        },
      },
    ],
  },
})
