import { availableParallelism } from 'node:os'
import { expect, test } from 'vitest'
import { resolveHostOptions, toLocalUrl } from '../../host/options.ts'

test('resolveHostOptions() has defaults for everything, and takes empty variables for absent', () => {
  const expected = {
    host: '127.0.0.1',
    port: 8787,
    dataDir: '/srv/.skerry',
    domain: 'localhost',
    url: undefined,
    adminToken: undefined,
    adopt: true,
    processes: availableParallelism() + 1,
    log: 'text',
    allowPrivateEgress: false,
    strikes: 3,
    strikeWindowSeconds: 600,
    quarantineSeconds: 3600,
    turnMs: 500,
    isolates: 70,
    turnMaxMs: 30_000,
  }
  expect(resolveHostOptions({}, '/srv')).toEqual(expected)
  expect(resolveHostOptions({ SKERRY_PORT: '', SKERRY_DOMAIN: '', SKERRY_ADMIN_TOKEN: '' }, '/srv')).toEqual(
    expected,
  )
})

test.each([
  ['SKERRY_PORT', '0', { port: 0 }],
  ['SKERRY_PORT', '65535', { port: 65_535 }],
  ['SKERRY_HOST', '0.0.0.0', { host: '0.0.0.0' }],
  ['SKERRY_HOST', '::1', { host: '::1' }],
  ['SKERRY_HOST', 'localhost', { host: 'localhost' }],
  ['SKERRY_DATA_DIR', 'data', { dataDir: '/srv/data' }],
  ['SKERRY_DATA_DIR', '/var/lib/skerry', { dataDir: '/var/lib/skerry' }],
  ['SKERRY_DOMAIN', 'Workers.Example.com', { domain: 'workers.example.com' }],
  ['SKERRY_URL', 'https://workers.example.com/', { url: 'https://workers.example.com' }],
  ['SKERRY_ADMIN_TOKEN', 't', { adminToken: 't' }],
  ['SKERRY_ADOPT', '0', { adopt: false }],
  ['SKERRY_PROCESSES', '1', { processes: 1 }],
  ['SKERRY_LOG', 'json', { log: 'json' }],
  ['SKERRY_PROCESSES', '65', { processes: 65 }],
  ['SKERRY_ALLOW_PRIVATE_EGRESS', '1', { allowPrivateEgress: true }],
  ['SKERRY_STRIKES', '0', { strikes: 0 }],
  ['SKERRY_STRIKES', '20', { strikes: 20 }],
  ['SKERRY_STRIKE_WINDOW_SECONDS', '1', { strikeWindowSeconds: 1 }],
  ['SKERRY_STRIKE_WINDOW_SECONDS', '86400', { strikeWindowSeconds: 86_400 }],
  ['SKERRY_QUARANTINE_SECONDS', '1', { quarantineSeconds: 1 }],
  ['SKERRY_QUARANTINE_SECONDS', '86400', { quarantineSeconds: 86_400 }],
  ['SKERRY_TURN_MS', '10', { turnMs: 10, turnMaxMs: 30_000 }],
  ['SKERRY_TURN_MS', '30000', { turnMs: 30_000, turnMaxMs: 30_000 }],
  ['SKERRY_TURN_MAX_MS', '300000', { turnMs: 500, turnMaxMs: 300_000 }],
  ['SKERRY_ISOLATES', '10', { isolates: 10 }],
  ['SKERRY_ISOLATES', '200', { isolates: 200 }],
  ['SKERRY_TURN_MAX_MS', '10', { turnMs: 10, turnMaxMs: 10 }],
])('resolveHostOptions() accepts %s=%s', (name, value, expected) => {
  expect(resolveHostOptions({ [name]: value }, '/srv')).toMatchObject(expected)
})

test.each([
  ['SKERRY_PORT', '65536'],
  ['SKERRY_PORT', '-1'],
  ['SKERRY_PORT', '80a'],
  ['SKERRY_PORT', '1e3'],
  ['SKERRY_HOST', 'http://localhost'],
  ['SKERRY_HOST', '127.0.0.1:8787'],
  ['SKERRY_DOMAIN', '127.0.0.1'],
  ['SKERRY_DOMAIN', 'example.com:8787'],
  ['SKERRY_DOMAIN', `${'a'.repeat(64)}.com`],
  ['SKERRY_DOMAIN', '-a.com'],
  ['SKERRY_URL', 'workers.example.com'],
  ['SKERRY_URL', 'https://example.com/path'],
  ['SKERRY_URL', 'ftp://example.com'],
  ['SKERRY_ADOPT', 'yes'],
  ['SKERRY_LOG', 'JSON'],
  ['SKERRY_PROCESSES', '0'],
  ['SKERRY_PROCESSES', '66'],
  ['SKERRY_PROCESSES', '2.5'],
  ['SKERRY_ALLOW_PRIVATE_EGRESS', 'true'],
  ['SKERRY_STRIKES', '21'],
  ['SKERRY_STRIKES', '-1'],
  ['SKERRY_STRIKES', '3/10m'],
  ['SKERRY_STRIKE_WINDOW_SECONDS', '0'],
  ['SKERRY_STRIKE_WINDOW_SECONDS', '86401'],
  ['SKERRY_QUARANTINE_SECONDS', '0'],
  ['SKERRY_QUARANTINE_SECONDS', '86401'],
  ['SKERRY_ISOLATES', '9'],
  ['SKERRY_ISOLATES', '201'],
  ['SKERRY_TURN_MS', '9'],
  ['SKERRY_TURN_MS', '30001'],
  ['SKERRY_TURN_MAX_MS', '9'],
  ['SKERRY_TURN_MAX_MS', '300001'],
])('resolveHostOptions() refuses %s=%s with exit code 2, naming variable, value and fix', (name, value) => {
  expect(() => resolveHostOptions({ [name]: value }, '/srv')).toThrow(
    expect.objectContaining({
      exitCode: 2,
      message: expect.stringMatching(
        new RegExp(
          `^${name} is ${JSON.stringify(value).replace(/[.*+?^${}()|[\]\\]/g, '\\$&')} but must be .+, e\\.g\\. .+\\.$`,
        ),
      ),
    }),
  )
})

test('resolveHostOptions() never repeats a bad admin token in its message', () => {
  const attempt = () => resolveHostOptions({ SKERRY_ADMIN_TOKEN: 'two words' }, '/srv')
  expect(attempt).toThrow('SKERRY_ADMIN_TOKEN is "(9 characters)" but must be printable ASCII without spaces')
})

test.each([
  ['127.0.0.1', 'http://127.0.0.1:80'],
  ['0.0.0.0', 'http://127.0.0.1:80'],
  ['::', 'http://[::1]:80'],
  ['box.lan', 'http://box.lan:80'],
])('toLocalUrl() of %s is %s', (host, url) => {
  expect(toLocalUrl(host, 80)).toBe(url)
})
