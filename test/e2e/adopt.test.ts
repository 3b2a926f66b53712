import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type RunningPlatform, startPlatform } from './support/platform.ts'
import { createWorker } from './support/project.ts'

const CODE = 'export default { fetch() {}, queue() {} }'

describe('with SKERRY_ADOPT=0, as on Cloudflare', () => {
  let platform: RunningPlatform

  beforeAll(async () => {
    platform = await startPlatform('start', { env: { SKERRY_ADOPT: '0', SKERRY_PROCESSES: '1' } })
  })
  afterAll(() => platform?.stop())

  const queues = async () => (await platform.api('GET', '$A/queues')).result
  const expectNothing = async (script: string) => {
    expect(await queues()).toEqual([])
    for (const path of ['storage/kv/namespaces', 'd1/database']) {
      expect((await platform.api('GET', `$A/${path}`)).result).toEqual([])
    }
    expect((await platform.api('GET', '$A/r2/buckets')).result).toEqual({ buckets: [] })
    expect(await platform.api('GET', `$A/workers/services/${script}`)).toMatchObject({ status: 404 })
  }

  // What producers name wrangler makes by itself, unless it is told not to.
  test.each([
    ['consumes', { consumers: [{ queue: 'absent' }] }, []],
    ['sends to', { producers: [{ binding: 'JOBS', queue: 'absent' }] }, ['--no-x-provision']],
  ])(
    'a deploy of what %s a missing queue ends with what to do, and makes nothing',
    async (_, config, args) => {
      const { dir } = createWorker('worker', CODE, { queues: config })
      const { code, all } = await platform.wrangler(['deploy', ...args], { cwd: dir })
      expect(code, all).toBe(1)
      expect(all).toContain('Queue "absent" does not exist. To create it, run: wrangler queues create absent')
      await expectNothing('worker')
    },
  )

  test.each([
    ['KV namespace', { type: 'kv_namespace', namespace_id: 'absent' }, /"code":10041.*'absent' not found/],
    ['database', { type: 'd1', id: 'absent' }, /"code":10181.*'IT' references database 'absent'/],
    ['bucket', { type: 'r2_bucket', bucket_name: 'absent' }, /"code":10085.*'absent' not found/],
    ['queue', { type: 'queue', queue_name: 'absent' }, /"code":11000.*'absent'/],
    [
      "script's workflow",
      { type: 'workflow', workflow_name: 'absent', class_name: 'Flow', script_name: 'other' },
      /"code":10200.*'absent'/,
    ],
  ])('an upload that binds a missing %s is refused, and makes nothing', async (_, binding, error) => {
    const upload = platform.upload('binds', CODE, { bindings: [{ name: 'IT', ...binding }] })
    await expect(upload).rejects.toThrow(error)
    await expectNothing('binds')
  })

  test('a workflow comes with the script that exports its class', async () => {
    const code = `import { WorkflowEntrypoint } from 'cloudflare:workers'
      export class Flow extends WorkflowEntrypoint { async run() { return 1 } }
      export default { fetch() {} }`
    const workflow = { workflow_name: 'own', class_name: 'Flow' }
    await platform.upload('flows', code, { bindings: [{ type: 'workflow', name: 'FLOW', ...workflow }] })
    expect((await platform.api('GET', '$A/workflows/own')).result).toMatchObject({ script_name: 'flows' })
  })

  test('a missing dead letter queue is refused: it is not made, and there is no consumer', async () => {
    await platform.upload('consumer', CODE)
    await platform.api('POST', '$A/queues', { queue_name: 'jobs' })
    const consumer = { script_name: 'consumer', dead_letter_queue: 'absent' }
    const { errors } = await platform.api('POST', '$A/queues/jobs/consumers', consumer)
    expect(errors).toMatchObject([{ code: 11000, message: 'Dead letter queue "absent" does not exist.' }])
    expect(await queues()).toMatchObject([{ queue_name: 'jobs', consumers: [] }])
  })
})
