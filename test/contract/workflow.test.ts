import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import { testCases } from '../support/contract-cases.ts'
import { bundleModule, startWorkerd, type Workerd } from '../support/workerd.ts'
import { embeddedWorkflows, WORKFLOW_BINDING, WORKFLOWS_ENGINE } from '../support/workflow-workerd.ts'
import type { Result } from './differences/difference.ts'
import { comparable, differencesOn, PARTS } from './differences/workflow.ts'

const dir = mkdtempSync(join(tmpdir(), 'workflow-contract-'))
afterAll(() => rmSync(dir, { recursive: true, force: true }))

const [driver, host] = await Promise.all([
  bundleModule('test/worker/workflow-driver.ts'),
  bundleModule('test/worker/workflow-host.ts'),
])

const DATES = ['2024-11-01', '2026-11-01']
// At once, for most of it is waiting.
const columns = await Promise.all(DATES.flatMap(date => [runNative(date), runOurs(date)]))

describe.each(DATES)('a workflow, compatibility date %s', date => {
  const [native = [], ours = []] = columns.slice(2 * DATES.indexOf(date))
  testCases('the native one', native, ours, differencesOn(date))
})

async function runNative(date: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'driver.js': driver },
    compatibilityDate: date,
    compatibilityFlags: [],
    bindings: [WORKFLOW_BINDING],
    workflowsEngine: WORKFLOWS_ENGINE,
    services: embeddedWorkflows(mkdtempSync(join(dir, 'native-')), date),
  })
  return read(workerd)
}

async function runOurs(date: string): Promise<Result[]> {
  const workerd = await startWorkerd({
    modules: { 'host.js': host },
    durableObjects: ['Workflow'],
    bindings: [
      { name: 'LOADER', workerLoader: { id: 'functions' } },
      { name: 'DRIVER', text: driver },
      { name: 'DATE', text: date },
      { name: 'WORKFLOW', durableObjectNamespace: { className: 'Workflow' } },
    ],
  })
  await workerd.fetch('/configure')
  return read(workerd)
}

async function read(workerd: Workerd): Promise<Result[]> {
  try {
    const parts = PARTS.map(async part => comparable(part, await (await workerd.fetch(`/${part}`)).text()))
    return (await Promise.all(parts)).flat()
  } finally {
    await workerd.stop()
  }
}
