import { describe, expect, test } from 'vitest'
import { ERRORS, type ErrorCode, SkerryError, toSkerryError } from '../../src/core/errors.ts'

describe('toSkerryError()', () => {
  // Over RPC only name and message survive, and the runtime may put the one before the other.
  test.each(Object.keys(ERRORS) as ErrorCode[])('finds %s in what came over RPC', code => {
    const { message } = new SkerryError(code, 'why\nand how')
    for (const text of [message, `SkerryError: ${message}`]) {
      expect(toSkerryError(new Error(text))).toMatchObject({ code, detail: 'why\nand how' })
    }
  })

  test.each([new Error('ERR_NO_SUCH_CODE: x'), new Error('no code'), 'ERR_INTERNAL: x', undefined])(
    'takes no other error for one of ours',
    error => {
      expect(toSkerryError(error)).toBeUndefined()
    },
  )
})
