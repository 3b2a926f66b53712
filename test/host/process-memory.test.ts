import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { describe, expect, onTestFinished, test } from 'vitest'
import { isAnonymousData, ProcessMemory, wordAt } from '../../host/process-memory.ts'

/** A process that holds `mark` at the end of a large block; it gets the mark in halves, so that is the only place. */
async function startHolder(mark: Buffer) {
  const [half, rest] = [mark.subarray(0, 8), mark.subarray(8)].map(part => part.toString('hex'))
  const code = `
    const held = Buffer.alloc(3 * 1024 * 1024 + 5)
    held.write('${half}', held.length - 16, 'hex')
    held.write('${rest}', held.length - 8, 'hex')
    setInterval(() => held[0]++, 1000)
    console.log('ready')`
  const child = spawn(process.execPath, ['-e', code], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  await once(child.stdout, 'data')
  const memory = ProcessMemory.open(child.pid ?? 0)
  return { child, memory }
}

describe.skipIf(process.platform !== 'linux')('ProcessMemory', () => {
  test('finds a mark in another process, and reads there', async () => {
    const mark = randomBytes(16)
    const { memory } = await startHolder(mark)
    using _ = memory
    const address = memory.find(mark)
    expect(memory.read(address ?? 0, 16)).toEqual(mark)
    expect(memory.readWord(address ?? 0)).toBe(wordAt(mark, 0))
    const region = memory.regions().find(({ start, end }) => start <= (address ?? 0) && (address ?? 0) < end)
    expect(region && isAnonymousData(region)).toBe(true)
  })

  test('goes on to the next place until one is accepted', async () => {
    const mark = randomBytes(16)
    const { memory } = await startHolder(mark)
    using _ = memory
    const offered: number[] = []
    expect(memory.find(mark, address => offered.push(address) < 0)).toBeUndefined()
    expect(offered).toContain(memory.find(mark))
  })

  test('finds nothing that is not there', async () => {
    const { memory } = await startHolder(randomBytes(16))
    using _ = memory
    expect(memory.find(randomBytes(16))).toBeUndefined()
  })

  test('reads nothing where nothing is mapped, nor past the end of a mapping', async () => {
    const { memory } = await startHolder(randomBytes(16))
    using _ = memory
    const regions = memory.regions()
    const last = regions.find(({ end }, index) => regions[index + 1]?.start !== end)
    expect(memory.read((last?.end ?? 0) - 8, 8)).toHaveLength(8)
    expect(memory.read((last?.end ?? 0) - 8, 16)).toBeUndefined()
    for (const address of [0, -8, 1.5, Number.NaN, 2 ** 60]) expect(memory.read(address, 8)).toBeUndefined()
  })

  test('reads nothing once the process has ended', async () => {
    const mark = randomBytes(16)
    const { child, memory } = await startHolder(mark)
    using _ = memory
    const address = memory.find(mark) ?? 0
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(memory.read(address, 16)).toBeUndefined()
    expect(memory.regions()).toEqual([])
    expect(memory.find(mark)).toBeUndefined()
  })

  test('does not open a process that is not there', () => {
    expect(() => ProcessMemory.open(2 ** 30)).toThrow('ENOENT')
  })
})

test.each([
  ['0100000000000000', 1],
  ['ffffffffffff1f00', Number.MAX_SAFE_INTEGER],
  ['0000000000002000', undefined],
  ['ffffffffffffffff', undefined],
])('wordAt() reads %s as %s', (hex, word) => {
  expect(wordAt(Buffer.from(hex, 'hex'), 0)).toBe(word)
})
