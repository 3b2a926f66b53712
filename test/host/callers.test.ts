import { beforeEach, expect, test } from 'vitest'
import { countCallers } from '../../host/callers.ts'
import { copyBoard, enter, leave, openBoard } from '../../src/board.ts'
import { hashScript } from '../../src/core/board.ts'

const shop = { accountId: 'a'.repeat(32), script: 'shop' }
const ADDRESS = 4096

beforeEach(() => openBoard(crypto.randomUUID().replaceAll('-', '').repeat(2)))

/** Notes a request from the network to a script; `status` of its answer, if there is one. */
function note({ accountId, script }: typeof shop, status?: number): void {
  const request = { method: 'GET', body: null, cf: { clientIp: '192.0.2.1:50000' } } as unknown as Request
  const slot = enter(request, hashScript(accountId, script))
  if (status !== undefined) leave(slot, { status } as Response)
}

/** The memory of a process with this board at an address. */
function count(owner: typeof shop) {
  const board = copyBoard()
  const read = (address: number, length: number) =>
    board.subarray(address - ADDRESS, address - ADDRESS + length)
  return countCallers(owner, { address: ADDRESS }, { read, find: () => undefined })
}

test('countCallers() counts what a script’s clients wait for, got, and are connected to', () => {
  for (const status of [undefined, undefined, 200, 500, 101]) note(shop, status)
  note({ ...shop, script: 'other' })
  note({ ...shop, accountId: 'b'.repeat(32) }, 101)
  expect(count(shop)).toEqual({ waiting: 2, requests: 5, sockets: 1 })
})

test('countCallers() counts nobody of a script without requests, and forgets what the ring has lost', () => {
  expect(count(shop)).toEqual({ waiting: 0, requests: 0, sockets: 0 })
  note(shop, 200)
  for (let i = 0; i < 8192; i++) note({ ...shop, script: 'other' }, 200)
  expect(count(shop)).toEqual({ waiting: 0, requests: 0, sockets: 0 })
  expect(count({ ...shop, script: 'other' })).toEqual({ waiting: 0, requests: 8192, sockets: 0 })
})

test('countCallers() gives nothing where the board can’t be read', () => {
  const memory = { read: () => undefined, find: () => undefined }
  expect(countCallers(shop, { address: ADDRESS }, memory)).toBeUndefined()
})
