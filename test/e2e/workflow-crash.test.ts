import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './support/edges.ts'
import { type RunningPlatform, startPlatform } from './support/platform.ts'

/** A step that hangs until the process it is in is another one, and one that tells how often it was called. */
const SOURCE = `
import { WorkflowEntrypoint } from 'cloudflare:workers'
export class Flow extends WorkflowEntrypoint {
  async run(event, step) {
    const first = await step.do('first', async () => crypto.randomUUID())
    const tries = await step.do('hangs', { retries: { limit: 3, delay: 10 } }, async ({ attempt }) => {
      if (attempt === 1) await new Promise(() => {})
      return attempt
    })
    const { payload } = await step.waitForEvent('told', { type: 'told', timeout: '1 hour' })
    await step.sleep('a moment', 1000)
    return { first, tries, payload }
  }
}
export default {
  async fetch(request, env) {
    const [, verb, id] = new URL(request.url).pathname.split('/')
    if (verb === 'create') return Response.json((await env.FLOW.create({ id })).id)
    const instance = await env.FLOW.get(id)
    if (verb === 'tell') await instance.sendEvent({ type: 'told', payload: id })
    return Response.json(await instance.status())
  },
}`

interface Described {
  readonly status: string
  readonly output: { first: string; tries: number; payload: string } | null
  readonly steps: readonly { name: string; output?: unknown; attempts?: { success: boolean | null }[] }[]
}

let platform: RunningPlatform

beforeAll(async () => {
  platform = await startPlatform('start')
  await platform.upload('flows', SOURCE, {
    bindings: [{ type: 'workflow', name: 'FLOW', workflow_name: 'flow', class_name: 'Flow' }],
  })
})
afterAll(() => platform?.stop())

const describeOne = async (id: string) =>
  (await platform.api<Described>('GET', `$A/workflows/flow/instances/${id}`)).result
const stepOf = async (id: string, name: string) =>
  (await describeOne(id)).steps.find(step => step.name === `${name}-1`)

/** Kills every process whose name begins so. */
async function kill(wanted: string): Promise<void> {
  const of = () => Object.entries(platform.processes()).filter(([name]) => name.startsWith(wanted))
  const before = new Set(of().map(([, pid]) => pid))
  expect(before.size).toBeGreaterThan(0)
  for (const pid of before) process.kill(pid, 'SIGKILL')
  await until(`there is another ${wanted}`, async () => of().some(([, pid]) => !before.has(pid)))
}

test('an instance outlives its edge and the state process: no result is lost, and none is made twice', async () => {
  const id = 'outlives'
  await platform.read('flows', `/create/${id}`)
  await until('the step hangs', async () => (await stepOf(id, 'hangs'))?.attempts?.length === 1)
  const first = (await stepOf(id, 'first'))?.output
  await kill('edge')
  await until('it waits', async () => (await describeOne(id)).status === 'waiting', 20_000)
  expect((await stepOf(id, 'hangs'))?.attempts?.map(({ success }) => success)).toEqual([false, true])

  await kill('state')
  await until('the event is taken in', () =>
    platform.call('flows', `/tell/${id}`).then(
      ({ ok }) => ok,
      () => false,
    ),
  )
  await until('it is complete', async () => (await describeOne(id)).status === 'complete', 20_000)
  expect((await describeOne(id)).output).toEqual({ first, tries: 2, payload: id })
})

test('a step that hangs is tried again when the state process is killed', async () => {
  const id = 'state'
  await platform.read('flows', `/create/${id}`)
  await until('the step hangs', async () => (await stepOf(id, 'hangs'))?.attempts?.length === 1)
  await kill('state')
  await until('it waits', async () => (await describeOne(id)).status === 'waiting', 20_000)
  expect((await stepOf(id, 'hangs'))?.output).toBe(2)
})
