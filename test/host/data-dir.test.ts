import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ensurePrivateDir, readOrCreateSecrets } from '../../host/data-dir.ts'
import { createTempDir } from './platform.ts'

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8)

test('ensurePrivateDir() makes a directory of mode 0700 and narrows one that is open', () => {
  const dir = join(createTempDir(), 'deep', 'data')
  ensurePrivateDir(dir)
  expect(modeOf(dir)).toBe('700')
  chmodSync(dir, 0o755)
  ensurePrivateDir(dir)
  expect(modeOf(dir)).toBe('700')
})

test('ensurePrivateDir() says what to set when the path is a file', () => {
  const file = join(createTempDir(), 'file')
  writeFileSync(file, '')
  expect(() => ensurePrivateDir(file)).toThrow(/^Cannot use the directory .*file: .*SKERRY_DATA_DIR/)
})

test('readOrCreateSecrets() makes token and key once, in files of mode 0600', () => {
  const dir = createTempDir()
  const first = readOrCreateSecrets(dir, undefined)
  expect(first.isNewAdminToken).toBe(true)
  expect(first.adminToken).toMatch(/^[0-9a-f]{64}$/)
  expect(Buffer.from(first.masterKey, 'base64')).toHaveLength(32)
  expect([modeOf(join(dir, 'admin-token')), modeOf(join(dir, 'master-key'))]).toEqual(['600', '600'])
  expect(readOrCreateSecrets(dir, undefined)).toEqual({ ...first, isNewAdminToken: false })
})

test('readOrCreateSecrets() uses a given token and never writes it', () => {
  const dir = createTempDir()
  expect(readOrCreateSecrets(dir, 'given')).toMatchObject({ adminToken: 'given', isNewAdminToken: false })
  expect(existsSync(join(dir, 'admin-token'))).toBe(false)
  expect(readFileSync(join(dir, 'master-key'), 'utf8')).not.toContain('given')
})

test.each(['', 'short', Buffer.alloc(31).toString('base64'), Buffer.alloc(33).toString('base64')])(
  'readOrCreateSecrets() refuses the master key %j rather than replace it',
  text => {
    const dir = createTempDir()
    writeFileSync(join(dir, 'master-key'), text)
    expect(() => readOrCreateSecrets(dir, undefined)).toThrow(/master-key must hold the base64 of 32 bytes/)
    expect(readFileSync(join(dir, 'master-key'), 'utf8')).toBe(text)
  },
)
