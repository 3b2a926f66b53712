import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import fc from 'fast-check'
import { expect, onTestFinished, test } from 'vitest'
import { type BindingConfig, Embedded, toCapnpText, toCapnpValue } from '../../host/config.ts'
import { describeProcesses } from '../../host/topology.ts'
import { findWorkerd } from '../../host/workerd.ts'
import { createTempDir, get } from './platform.ts'

test.each<[unknown, string]>([
  ['plain', '"plain"'],
  ['say "hi" \\ now', '"say \\"hi\\" \\\\ now"'],
  ['line\nfeed\u0000', '"line\\x0afeed\\x00"'],
  [[true, 2, 'x'], '[true, 2, "x"]'],
  [{ name: 'a', absent: undefined, http: {} }, '(name = "a", http = ())'],
  [{ esModule: new Embedded('worker.js') }, '(esModule = embed "worker.js")'],
])('toCapnpValue(%j) is %s', (value, text) => {
  expect(toCapnpValue(value)).toBe(text)
})

test('toCapnpValue() refuses what has no literal', () => {
  expect(() => toCapnpValue({ a: null })).toThrow("no Cap'n Proto literal for null")
})

const INPUT = {
  dataDir: '/data',
  socketDir: '/data/run',
  edges: 0,
  domain: 'localhost',
  url: 'http://localhost:8787',
  listensOn: ['127.0.0.1:8787'],
  adopt: true,
  allowPrivateEgress: false,
  strikes: 3,
  strikeWindowSeconds: 600,
  quarantineSeconds: 3600,
  turnMs: 500,
  turnMaxMs: 30_000,
  maxIsolates: 200,
}

test('describeProcesses() describes one process that holds every role', () => {
  const [description, ...others] = describeProcesses(INPUT)
  expect(others).toEqual([])
  expect(description && toCapnpText(description.config)).toMatchSnapshot()
})

test('describeProcesses() describes state, the edges, and one more for a replacement to start in', () => {
  const processes = describeProcesses({ ...INPUT, edges: 2 })
  expect(processes.map(({ name, role }) => [name, role])).toEqual([
    ['state', 'state'],
    ['objects-0', 'objects'],
    ['edge-0', 'edge'],
    ['edge-1', 'edge'],
    ['edge-2', 'edge'],
  ])
  for (const { config } of processes.slice(0, 3)) expect(toCapnpText(config)).toMatchSnapshot()
})

test('describeProcesses() gives the state process no loader and no way out, and those that run functions no secret', () => {
  const [state = '', objects = '', edge = ''] = describeProcesses({ ...INPUT, edges: 1 }).map(({ config }) =>
    toCapnpText(config),
  )
  expect(state).not.toMatch(/workerLoader|INTERNET|allow = \["public"/)
  expect(objects).not.toMatch(/MASTER_KEY|ADMIN_TOKEN/)
  expect(edge).not.toMatch(/MASTER_KEY|ADMIN_TOKEN|localDisk|durableObject/)
  expect(edge.match(/disk = \(path = "[^"]+"/g)).toEqual(['disk = (path = "/data/blobs"'])
})

test('describeProcesses() binds a way to private addresses for functions only when the operator allows it', () => {
  const textOf = (allowPrivateEgress: boolean) =>
    describeProcesses({ ...INPUT, allowPrivateEgress })
      .map(({ config }) => toCapnpText(config))
      .join()
  expect(textOf(false)).not.toMatch(/INTRANET|intranet/)
  expect(textOf(false)).toContain('(name = "UPSTREAM", service = "upstream")')
  expect(textOf(true)).toContain('allow = ["public", "private"]')
  expect(textOf(true)).toContain('(name = "INTRANET", service = "intranet")')
  expect(textOf(true)).toContain('globalOutbound = "internet"')
})

test('workerd reads every string as toCapnpText() was given it', { timeout: 20_000 }, async () => {
  const nasty = [
    '"',
    '\\',
    '\\"',
    '\n\r\t',
    '")]);',
    '\u0001\u007f',
    'é 漢 🦭',
    '\\x41',
    "'",
    '# comment',
    '\u2028',
  ]
  const random = fc.sample(fc.string({ unit: 'binary' }), { numRuns: 200, seed: 1 })
  // workerd's text bindings end at a NUL.
  const texts = [...nasty, ...random].map(text => text.toWellFormed().replaceAll('\0', ''))
  expect(await readBack(texts)).toEqual(texts)
})

async function readBack(texts: string[]): Promise<string[]> {
  const dir = createTempDir()
  const bindings: BindingConfig[] = texts.map((text, i) => ({ name: `T${i}`, text }))
  const worker = {
    modules: [{ name: 'echo.js', esModule: new Embedded('echo.js') }],
    compatibilityDate: '2026-11-01',
    bindings,
  }
  writeFileSync(join(dir, 'echo.js'), 'export default { fetch: (request, env) => Response.json(env) }')
  writeFileSync(
    join(dir, 'c.capnp'),
    toCapnpText({
      services: [{ name: 'main', worker }],
      sockets: [{ name: 'http', address: '127.0.0.1:0', http: {}, service: 'main' }],
    }),
  )
  const child = spawn(findWorkerd(), ['serve', '--control-fd=3', join(dir, 'c.capnp')], {
    stdio: ['ignore', 'inherit', 'inherit', 'pipe'],
  })
  onTestFinished(() => void child.kill('SIGKILL'))
  const control = createInterface({ input: child.stdio[3] as Readable })
  const [line] = (await once(control, 'line')) as [string]
  const { port } = JSON.parse(line) as { port: number }
  const env = JSON.parse((await get(port, '/')).body) as Record<string, string>
  return texts.map((_, i) => env[`T${i}`] ?? '(absent)')
}
