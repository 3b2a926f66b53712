import { createRequire } from 'node:module'
import { Failure } from './failure.ts'

/** The workerd binary that the package brings. */
export function findWorkerd(): string {
  try {
    return createRequire(import.meta.url).resolve('workerd/bin/workerd')
  } catch (error) {
    throw new Failure('The workerd package is not installed. Run `npm install`.', 1, { cause: error })
  }
}
