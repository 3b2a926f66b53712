// Runs `runUp` with the stand-in Worker, as cli/main.ts runs it with the real one.
import { join } from 'node:path'
import { Failure } from '../../host/failure.ts'
import { resolveHostOptions } from '../../host/options.ts'
import { runUp } from '../../host/up.ts'

try {
  await runUp(resolveHostOptions(process.env, process.cwd()), {
    workerEntry: process.env.TEST_WORKER ?? join(import.meta.dirname, 'stand-in-worker.js'),
    helloModule: process.env.TEST_HELLO ?? join(import.meta.dirname, 'stand-in-hello.js'),
  })
} catch (error) {
  if (!(error instanceof Failure)) throw error
  console.error(`error: ${error.message}`)
  process.exitCode = error.exitCode
}
