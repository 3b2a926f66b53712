import { beforeAll, describe, expect, test } from 'vitest'
import { toUploadForm } from './support/client.ts'
import { openFirstHost } from './support/hosts.ts'
import { createProject, createWorker } from './support/project.ts'

const hosts = await openFirstHost('workflow')

interface Listed {
  readonly id: string
  readonly status: string
  readonly trigger_source: string
}

interface Described {
  readonly status: string
  readonly success: boolean | null
  readonly output: unknown
  readonly error: { name: string; message: string } | null
  readonly step_count: number
  readonly steps: readonly { name: string; type: string; success?: boolean | null; finished?: boolean }[]
}

/** Takes an order, tries twice to charge, naps, waits for an approval. */
const SOURCE = `import { WorkflowEntrypoint } from 'cloudflare:workers'
import { NonRetryableError } from 'cloudflare:workflows'
const tries = new Map()
export class Orders extends WorkflowEntrypoint {
  async run({ payload, instanceId }, step) {
    if (payload.fails) throw new NonRetryableError('no such order')
    const { n } = await step.do('take', async () => ({ n: payload.n, bytes: new Uint8Array([1, 2]) }))
    const retries = { limit: 2, delay: 100, backoff: 'constant' }
    const tried = await step.do('charge', { retries }, async () => {
      tries.set(instanceId, (tries.get(instanceId) ?? 0) + 1)
      if (tries.get(instanceId) === 1) throw new Error('declined')
      return tries.get(instanceId)
    })
    await step.sleep('nap', '1 second')
    const approval = await step.waitForEvent('approval', { type: 'approve', timeout: '1 hour' })
    return { n, tried, by: approval.payload.by }
  }
}
export default {
  async fetch(request, env) {
    const options = await request.json()
    const instance = await env.ORDERS.create(options)
    return Response.json({ id: instance.id, ...(await instance.status()) })
  },
}`
const WORKFLOWS = [{ binding: 'ORDERS', name: 'orders', class_name: 'Orders' }]
/** The smallest Worker with a workflow. */
const SMALL = `import { WorkflowEntrypoint } from 'cloudflare:workers'
export class Small extends WorkflowEntrypoint { async run(event) { return event.payload } }
export class Plain {}
export default { fetch() { return new Response('small') } }`
const binding = (fields: object) => ({
  bindings: [{ type: 'workflow', name: 'FLOW', workflow_name: 'small', class_name: 'Small', ...fields }],
})

describe.each(hosts)('wrangler workflows on `npm $kind`', platform => {
  const run = async (cwd: string, ...args: string[]) => {
    const finished = await platform.wrangler(args, { cwd })
    expect(finished.code, finished.all).toBe(0)
    return finished.stdout
  }
  const skerry = async (...args: string[]) => {
    const finished = await platform.skerry(['workflow', ...args, '--json'])
    expect(finished.code, finished.all).toBe(0)
    return JSON.parse(finished.stdout)
  }
  const FLOW = '$A/workflows/orders'
  const INSTANCES = `${FLOW}/instances`
  const create = async (body: object) => (await platform.api<Listed>('POST', INSTANCES, body)).result
  const describeOf = async (id: string) => (await platform.api<Described>('GET', `${INSTANCES}/${id}`)).result
  const statusOf = async (id: string) => (await describeOf(id)).status
  const until = (id: string, status: string) =>
    expect.poll(() => statusOf(id), { timeout: 20_000, interval: 100 }).toBe(status)
  const command = (id: string, body: object) => platform.api('PATCH', `${INSTANCES}/${id}/status`, body)
  /** Until it waits for its approval. */
  const untilWaiting = (id: string) =>
    expect
      .poll(async () => (await describeOf(id)).steps.map(({ name }) => name), { timeout: 20_000 })
      .toContain('approval-1')

  beforeAll(async () => {
    await platform.upload('small', SMALL, binding({}))
  })

  test('a deploy makes the workflow, and another one changes it', async () => {
    const project = createWorker('shop', SOURCE, { workflows: WORKFLOWS })
    expect(await run(project.dir, 'deploy')).toContain('workflow: orders')
    const { result } = await platform.api<{ id: string }>('GET', FLOW)
    expect(result).toMatchObject({ name: 'orders', script_name: 'shop', class_name: 'Orders', instances: {} })

    const changed = { limits: { steps: 50 }, schedules: ['0 0 1 1 *'] }
    project.write({
      'wrangler.json': {
        name: 'shop',
        main: 'src/index.ts',
        compatibility_date: '2026-11-01',
        workflows: [{ ...WORKFLOWS[0], ...changed, default_retention: { success_retention: '3 days' } }],
      },
    })
    await run(project.dir, 'deploy')
    expect((await platform.api<{ id: string }>('GET', FLOW)).result.id).toBe(result.id)
    const versions = await platform.api<{ id: string }[]>('GET', `${FLOW}/versions`)
    expect(versions.result).toHaveLength(3)
    const [newest] = versions.result
    expect((await platform.api('GET', `${FLOW}/versions/${newest?.id}`)).result).toEqual(newest)
    expect(await skerry('show', 'orders')).toMatchObject({
      script: 'shop',
      class_name: 'Orders',
      version_id: newest?.id,
      schedules: ['0 0 1 1 *'],
      step_limit: 50,
      success_retention_ms: 3 * 86_400_000,
      error_retention_ms: null,
      binders: ['shop'],
    })
    expect(await run(project.dir, 'workflows', 'list')).toContain('orders')
    expect(await run(project.dir, 'workflows', 'describe', 'orders')).toContain(newest?.id)
  })

  test('trigger, list, describe and send an event', async () => {
    const { dir } = createProject({})
    const triggered = await run(dir, 'workflows', 'trigger', 'orders', '{"n":7}', '--id', 'first')
    expect(triggered).toContain('"first" has been queued')
    await untilWaiting('first')
    await until('first', 'waiting')
    expect(await run(dir, 'workflows', 'instances', 'list', 'orders')).toContain('first')
    const shown = await run(dir, 'workflows', 'instances', 'describe', 'orders', 'latest')
    for (const text of ['take-1', 'charge-1', 'nap-1', 'approval-1', 'Waiting', 'API', 'declined']) {
      expect(shown).toContain(text)
    }
    await run(
      dir,
      ...['workflows', 'instances', 'send-event', 'orders', 'latest'],
      ...['--type', 'approve', '--payload', '{"by":"me"}'],
    )
    await until('first', 'complete')
    expect(await describeOf('first')).toMatchObject({
      success: true,
      params: { n: 7 },
      trigger: { source: 'api' },
      output: { n: 7, tried: 2, by: 'me' },
      error: null,
      step_count: 4,
      steps: [
        { name: 'take-1', type: 'step', success: true, output: { n: 7, bytes: 'AQI=' }, error: null },
        {
          name: 'charge-1',
          type: 'step',
          success: true,
          output: 2,
          config: { retries: { limit: 2, delay: 100, backoff: 'constant' } },
          attempts: [
            { success: false, error: { name: 'Error', message: 'declined' } },
            { success: true, error: null },
          ],
        },
        { name: 'nap-1', type: 'sleep', finished: true, error: null },
        { name: 'approval-1', type: 'waitForEvent', finished: true },
      ],
    })
    const simple = await platform.api<object>('GET', `${INSTANCES}/first?simple=true`)
    expect(simple.result).not.toHaveProperty('steps')
    const last = await platform.api<Described>('GET', `${INSTANCES}/first?order=desc`)
    expect(last.result.steps[0]).toMatchObject({ name: 'approval-1' })
  })

  test('pause, resume, restart and terminate', async () => {
    const { dir } = createProject({})
    const told = (verb: string, ...more: string[]) =>
      run(dir, 'workflows', 'instances', verb, 'orders', 'second', ...more)
    await create({ instance_id: 'second', params: { n: 2 } })
    await untilWaiting('second')
    await told('pause')
    await until('second', 'paused')
    await platform.api('POST', `${INSTANCES}/second/events/approve`, { by: 'early' })
    expect(await statusOf('second')).toBe('paused')
    await told('resume')
    await until('second', 'complete')
    expect((await describeOf('second')).output).toEqual({ n: 2, tried: 2, by: 'early' })

    await told('restart', '--from-step-name', 'nap', '--from-step-type', 'sleep')
    await untilWaiting('second')
    const { steps, output } = await describeOf('second')
    expect(output).toBeNull()
    expect(steps[1]).toMatchObject({ name: 'charge-1', output: 2 })
    await told('terminate')
    await until('second', 'terminated')
    expect(await describeOf('second')).toMatchObject({ success: false })
    expect(await command('second', { status: 'terminate' })).toMatchObject({
      status: 400,
      errors: [{ code: 10401, error_code: 'ERR_WORKFLOW_INSTANCE_STATE' }],
    })
    expect(await command('second', { status: 'resume' })).toMatchObject({
      status: 400,
      errors: [{ error_code: 'ERR_WORKFLOW_INSTANCE_STATE' }],
    })
    const nowhere = await command('second', { status: 'restart', from: { name: 'nowhere' } })
    expect(nowhere.errors).toMatchObject([{ error_code: 'ERR_WORKFLOW_INSTANCE_STATE' }])
    expect(nowhere.errors[0]?.message).toContain('nowhere')
  })

  test('the binding makes instances; one that throws is errored', async () => {
    const body = JSON.stringify({ id: 'bound', params: { fails: true } })
    expect(JSON.parse(await platform.read('shop', '/', { method: 'POST', body }))).toMatchObject({
      id: 'bound',
    })
    await until('bound', 'errored')
    expect(await describeOf('bound')).toMatchObject({
      success: false,
      trigger: { source: 'binding' },
      error: { message: expect.stringContaining('no such order') },
    })
    expect(await skerry('instance', 'orders', 'bound')).toMatchObject({
      status: 'errored',
      trigger: 'binding',
      params: { fails: true },
      steps: [],
    })
  })

  test('lists go on where they ended, by cursor and by page', async () => {
    const path = '$A/workflows/small/instances'
    const ids = ['a', 'b', 'c', 'd', 'e']
    const batch = ids.map(id => ({ instance_id: id, params: { id } }))
    const made = await platform.api<Listed[]>('POST', `${path}/batch`, [...batch, { instance_id: 'a' }])
    expect(made.result.map(({ id }) => id)).toEqual(ids)
    expect(made).toMatchObject({ messages: [{ code: 10415, message: expect.stringContaining('a: ') }] })
    const read = async (query: string) => {
      const page = await platform.api<Listed[]>('GET', `${path}${query}`)
      expect(page.errors).toEqual([])
      const info = (page as { result_info?: { cursor?: string; total_count: number } }).result_info
      return { ids: page.result.map(({ id }) => id), cursor: info?.cursor, total: info?.total_count }
    }
    expect(await read('/')).toEqual({ ids: ids.toReversed(), cursor: undefined, total: 5 })
    const first = await read('?per_page=2')
    expect(first).toMatchObject({ ids: ['e', 'd'], total: 5, cursor: expect.any(String) })
    expect((await read(`?per_page=2&cursor=${first.cursor}`)).ids).toEqual(['c', 'b'])
    expect(await read('?per_page=2&page=3')).toEqual({ ids: ['a'], cursor: undefined, total: 5 })
    expect((await read('?per_page=2&page=4')).ids).toEqual([])
    expect((await read('?direction=asc&per_page=1')).ids).toEqual(['a'])
    expect((await read('?date_start=2999-01-01')).ids).toEqual([])
    expect((await read('?date_end=2999-01-01')).ids).toHaveLength(5)
    await expect.poll(async () => (await read('?status=complete')).ids, { timeout: 20_000 }).toHaveLength(5)
    expect((await read('?status=paused')).ids).toEqual([])
    expect((await platform.api<{ id: string }[]>('GET', '$A/workflows?search=mal')).result).toMatchObject([
      { name: 'small', instances: { complete: 5 } },
    ])

    const page = await skerry('instances', 'small', '--limit', '2', '--status', 'complete')
    expect(page).toMatchObject({ total: 5, instances: [{ id: 'e' }, { id: 'd' }] })
    const { stdout } = await platform.skerry(['workflow', 'instances', 'small', '--cursor', page.cursor])
    expect(stdout).toMatch(/^c +complete +api/m)
    const names = (await skerry('list')).map(({ name }: { name: string }) => name)
    expect(names).toEqual(expect.arrayContaining(['orders', 'small']))
  })

  test('instances are deleted, alone and together', async () => {
    const { dir } = createProject({})
    for (const id of ['old-1', 'old-2', 'old-3']) await create({ instance_id: id, params: { n: 1 } })
    const deleted = await run(dir, 'workflows', 'instances', 'delete', 'orders', 'old-1', 'old-2')
    expect(deleted).toContain('"old-1", "old-2"')
    expect((await platform.api('DELETE', `${INSTANCES}/old-3`)).result).toEqual({ id: 'old-3' })
    for (const id of ['old-1', 'old-2', 'old-3']) {
      expect(await platform.api('GET', `${INSTANCES}/${id}`)).toMatchObject({
        status: 404,
        errors: [{ code: 10400 }],
      })
    }
    const some = await platform.api('POST', `${INSTANCES}/batch/delete`, { instances: ['old-1'] })
    expect(some.result).toMatchObject({ deleted: [], errors: [{ id: 'old-1', code: 10400 }] })
  })

  test('all instances are terminated, but for those that ended', async () => {
    const { dir } = createProject({})
    for (const id of ['all-1', 'all-2']) await create({ instance_id: id, params: { n: 1 } })
    await until('all-1', 'waiting')
    await run(dir, 'workflows', 'instances', 'terminate-all', 'orders')
    expect(await Promise.all(['all-1', 'all-2', 'first'].map(statusOf))).toEqual([
      ...['terminated', 'terminated', 'complete'],
    ])
    const none = await platform.api('PUT', `${INSTANCES}/terminate?status=x`)
    expect(none).toMatchObject({ status: 400, errors: [{ code: 10001 }] })
  })

  test('our own API commands instances and sends events', async () => {
    await create({ instance_id: 'own', params: { n: 3 } })
    await untilWaiting('own')
    const path = '$A/workflows/orders/instances/own'
    const told = await platform.v1('POST', `${path}/command`, { command: 'pause' })
    expect(told).toMatchObject({ status: 200, body: { id: 'own', status: 'paused' } })
    expect(await platform.v1('POST', `${path}/command`, { command: 'stop' })).toMatchObject({
      status: 400,
      body: { code: 'ERR_WORKFLOW_INVALID' },
    })
    await platform.v1('POST', `${path}/command`, { command: 'resume' })
    const sent = await platform.v1('POST', `${path}/events`, { type: 'approve', payload: { by: 'api' } })
    expect(sent.status).toBe(200)
    await until('own', 'complete')
    const shown = await platform.v1('GET', path)
    expect(shown.body).toMatchObject({
      output: { by: 'api' },
      steps: [{}, {}, { type: 'sleep' }, { name: 'approval', event_type: 'approve', success: true }],
    })
  })

  const PUT = { script_name: 'small', class_name: 'Small' }
  test.each<[string, string, string, unknown, number, number, string]>([
    ['an unknown workflow', 'GET', '$A/workflows/absent', undefined, 404, 10200, '"absent"'],
    ['an unknown workflow', 'POST', '$A/workflows/absent/instances', {}, 404, 10200, '"absent"'],
    ['an unknown workflow', 'DELETE', '$A/workflows/absent', undefined, 404, 10200, '"absent"'],
    ['an unknown version', 'GET', '$A/workflows/small/versions/1', undefined, 404, 10214, '"1"'],
    ['a bad name', 'PUT', '$A/workflows/-x', PUT, 400, 10001, '"-x"'],
    ['a long name', 'PUT', `$A/workflows/${'x'.repeat(65)}`, PUT, 400, 10001, 'at most 64'],
    ['no script', 'PUT', '$A/workflows/new', { class_name: 'A' }, 400, 10001, 'script_name'],
    ['no class', 'PUT', '$A/workflows/new', { script_name: 'small' }, 400, 10001, 'class_name'],
    ['a body that is no JSON', 'PUT', '$A/workflows/new', '{', 400, 10002, 'JSON'],
    ['an unknown script', 'PUT', '$A/workflows/new', { ...PUT, script_name: 'x' }, 404, 10007, 'Worker'],
    ['an unknown class', 'PUT', '$A/workflows/new', { ...PUT, class_name: 'X' }, 400, 10021, '"X"'],
    [
      'a class of no workflow',
      'PUT',
      '$A/workflows/new',
      { ...PUT, class_name: 'Plain' },
      400,
      10021,
      'Plain',
    ],
    ['no steps', 'PUT', '$A/workflows/new', { ...PUT, limits: { steps: 0 } }, 400, 10001, 'limits.steps'],
    ['many steps', 'PUT', '$A/workflows/new', { ...PUT, limits: { steps: 25_001 } }, 400, 10001, '25000'],
    ['other limits', 'PUT', '$A/workflows/new', { ...PUT, limits: { cpu: 1 } }, 400, 10001, 'limits.cpu'],
    ['limits that are none', 'PUT', '$A/workflows/new', { ...PUT, limits: 5 }, 400, 10001, 'limits'],
    ['a bad cron', 'PUT', '$A/workflows/new', { ...PUT, schedules: [{ cron: '* *' }] }, 400, 10100, '* *'],
    [
      'crons as texts',
      'PUT',
      '$A/workflows/new',
      { ...PUT, schedules: ['* * * * *'] },
      400,
      10001,
      'schedules[0]',
    ],
    [
      'a bad retention',
      'PUT',
      '$A/workflows/new',
      { ...PUT, default_retention: { error_retention: 'long' } },
      400,
      10001,
      'error_retention',
    ],
    ['no concurrency', 'PUT', '$A/workflows/new', { ...PUT, concurrency: { limit: 0 } }, 400, 10001, 'limit'],
    ['a jurisdiction', 'PUT', '$A/workflows/new', { ...PUT, jurisdiction: 'eu' }, 400, 10001, 'jurisdiction'],
    ['an unknown field', 'PUT', '$A/workflows/new', { ...PUT, events: [] }, 400, 10001, 'events'],
    ['a bad id', 'POST', '$A/workflows/small/instances', { instance_id: '!' }, 400, 10001, 'id'],
    ['a long id', 'POST', '$A/workflows/small/instances', { instance_id: 'x'.repeat(101) }, 400, 10001, 'id'],
    ['a misspelt field', 'POST', '$A/workflows/small/instances', { id: 'x' }, 400, 10001, '`id`'],
    ['no JSON', 'POST', '$A/workflows/small/instances', '{', 400, 10002, 'JSON'],
    ['a list', 'POST', '$A/workflows/small/instances', [], 400, 10002, 'object'],
    [
      'a bad retention',
      'POST',
      '$A/workflows/small/instances',
      { instance_retention: { success_retention: 'x' } },
      400,
      10001,
      'Duration',
    ],
    [
      'large params',
      'POST',
      '$A/workflows/small/instances',
      { params: 'x'.repeat(1_100_000) },
      400,
      10001,
      'large',
    ],
    ['no batch', 'POST', '$A/workflows/small/instances/batch', [], 400, 10001, 'at least 1'],
    ['a batch of texts', 'POST', '$A/workflows/small/instances/batch', ['a'], 400, 10002, 'array'],
    [
      'a large batch',
      'POST',
      '$A/workflows/small/instances/batch',
      Array.from({ length: 101 }, () => ({})),
      400,
      10001,
      '100',
    ],
    ['nothing to delete', 'POST', '$A/workflows/small/instances/batch/delete', {}, 400, 10001, 'invalid'],
    ['an unknown instance', 'GET', '$A/workflows/small/instances/x', undefined, 404, 10400, 'exist'],
    ['an unknown instance', 'DELETE', '$A/workflows/small/instances/x', undefined, 404, 10400, '"x"'],
    [
      'an unknown instance',
      'PATCH',
      '$A/workflows/small/instances/x/status',
      { status: 'pause' },
      404,
      10400,
      '',
    ],
    ['an unknown instance', 'POST', '$A/workflows/small/instances/x/events/e', {}, 404, 10400, 'exist'],
    ['a bad event', 'POST', '$A/workflows/small/instances/a/events/%20', {}, 400, 10001, 'type'],
    ['an event of no JSON', 'POST', '$A/workflows/small/instances/a/events/e', '{', 400, 10002, 'JSON'],
    [
      'an unknown command',
      'PATCH',
      '$A/workflows/small/instances/a/status',
      { status: 'x' },
      400,
      10001,
      'pause',
    ],
    [
      'a rollback',
      'PATCH',
      '$A/workflows/small/instances/a/status',
      { status: 'terminate', rollback: true },
      400,
      10001,
      'rollback',
    ],
    [
      'a pause from a step',
      'PATCH',
      '$A/workflows/small/instances/a/status',
      { status: 'pause', from: { name: 'x' } },
      400,
      10001,
      'from',
    ],
    [
      'a restart from the 0th step',
      'PATCH',
      '$A/workflows/small/instances/a/status',
      { status: 'restart', from: { name: 'x', count: 0 } },
      400,
      10001,
      'from.count',
    ],
    [
      'a restart from a step of no type',
      'PATCH',
      '$A/workflows/small/instances/a/status',
      { status: 'restart', from: { name: 'x', type: 'step' } },
      400,
      10001,
      'from.type',
    ],
    ['an unknown status', 'GET', '$A/workflows/small/instances?status=x', undefined, 400, 10001, 'status'],
    ['no date', 'GET', '$A/workflows/small/instances?date_start=x', undefined, 400, 10001, 'date_start'],
    ['a bad cursor', 'GET', '$A/workflows/small/instances?cursor=x', undefined, 400, 10001, 'cursor'],
    ['page and cursor', 'GET', '$A/workflows/small/instances?cursor=1&page=1', undefined, 400, 10001, 'page'],
    ['a bad order', 'GET', '$A/workflows/small/instances?direction=up', undefined, 400, 10001, 'direction'],
    ['a taken id', 'POST', '$A/workflows/small/instances', { instance_id: 'a' }, 400, 10405, '"a"'],
  ])('%s is refused: %s %s', async (_title, method, path, body, status, code, says) => {
    const answer = await platform.api(method, path, body)
    expect(answer).toMatchObject({ status, errors: [{ code }] })
    expect(answer.errors[0]?.message).toContain(says)
  })

  test('uploads: a class that is not exported, and a foreign workflow that is not there', async () => {
    const upload = (script: string, metadata: object) =>
      platform.api('PUT', `$A/workers/scripts/${script}`, toUploadForm(SMALL, metadata))
    for (const name of ['Absent', 'Plain']) {
      const answer = await upload('classless', binding({ workflow_name: 'none', class_name: name }))
      expect(answer).toMatchObject({ status: 400, errors: [{ error_code: 'ERR_WORKFLOW_CLASS_MISSING' }] })
      expect(answer.errors[0]?.message).toContain(`Binding "FLOW": the script exports no class "${name}"`)
    }
    // Nothing was made.
    expect((await platform.api('GET', '$A/workflows/none')).status).toBe(404)
    expect((await platform.api('GET', '$A/workers/scripts/classless')).status).toBe(404)

    const foreign = await upload('foreign', binding({ workflow_name: 'none', script_name: 'small' }))
    expect(foreign).toMatchObject({ status: 404, errors: [{ code: 10200 }] })
    expect(foreign.errors[0]?.message).toContain("Workflow 'none' of the binding 'FLOW'")
    const bound = await upload('foreign', binding({ script_name: 'small' }))
    expect(bound.success).toBe(true)
    expect(await skerry('show', 'small')).toMatchObject({ script: 'small', binders: ['foreign', 'small'] })
    const shown = await platform.api('GET', '$A/workers/scripts/foreign/settings')
    expect(shown.result).toMatchObject(binding({ script_name: 'small' }))
    const declared = { exports: { Small: { type: 'workflow', name: 'declared' } } }
    expect((await upload('declares', declared)).success).toBe(true)
  })

  test('a workflow outlives its script, and goes with its instances when it is deleted', async () => {
    const { dir } = createProject({})
    await platform.upload('leaving', SMALL, binding({ workflow_name: 'left' }))
    await platform.upload('taking', SMALL, binding({ workflow_name: 'taken' }))
    await run(dir, 'delete', '--name', 'leaving', '--force')
    expect((await platform.api('GET', '$A/workflows/left')).result).toMatchObject({ script_name: 'leaving' })
    const moved = { script_name: 'taking', class_name: 'Small' }
    expect((await platform.api('PUT', '$A/workflows/left', moved)).result).toMatchObject(moved)
    await platform.api('POST', '$A/workflows/left/instances', { instance_id: 'one' })
    expect(await run(dir, 'workflows', 'delete', 'left')).toContain('"left" removed')
    expect((await platform.api('GET', '$A/workflows/left')).status).toBe(404)
    expect((await platform.api('PUT', '$A/workflows/left', moved)).result).toMatchObject({ instances: {} })
  })

  test('an instance whose class is missing waits, says why, and goes on when it is there', async () => {
    const withClass = () => platform.upload('classes', SMALL, binding({ workflow_name: 'classes' }))
    await withClass()
    await platform.upload('classes', "export default { fetch() { return new Response('none') } }")
    const body = { instance_id: 'waits', params: 5 }
    await platform.api('POST', '$A/workflows/classes/instances', body)
    await expect
      .poll(async () => (await skerry('instance', 'classes', 'waits')).held?.error)
      .toContain('no such entrypoint: Small')
    const shown = await platform.skerry(['workflow', 'instance', 'classes', 'waits'])
    expect(shown.stdout).toContain('no such entrypoint: Small')
    await withClass()
    await expect
      .poll(async () => (await skerry('instance', 'classes', 'waits')).output, { timeout: 10_000 })
      .toBe(5)
  })

  test("another account's workflow does not exist", async () => {
    const { result } = await platform.api<{ id: string }>('GET', FLOW)
    expect((await platform.api('GET', `$A/workflows/${result.id}`)).result).toMatchObject({ name: 'orders' })
    const other = await platform.as('workflow-other')
    for (const path of ['$A/workflows/orders', `$A/workflows/${result.id}`, INSTANCES]) {
      expect(await other.api('GET', path)).toMatchObject({ status: 404, errors: [{ code: 10200 }] })
    }
    expect(await other.api('POST', INSTANCES, {})).toMatchObject({ status: 404 })
    expect((await other.v1('GET', '$A/workflows')).body).toEqual([])
    expect((await other.v1('GET', '$A/workflows/orders')).status).toBe(404)
    const foreign = binding({ workflow_name: 'orders', script_name: 'shop' })
    const upload = await other.api('PUT', '$A/workers/scripts/thief', toUploadForm(SMALL, foreign))
    expect(upload).toMatchObject({ status: 404, errors: [{ code: 10200 }] })

    const viewer = await platform.createToken('viewer')
    expect((await platform.api('GET', INSTANCES, undefined, viewer)).success).toBe(true)
    for (const [method, path, body] of [
      ['PUT', FLOW, PUT],
      ['DELETE', FLOW, undefined],
      ['POST', INSTANCES, {}],
      ['POST', `${INSTANCES}/batch`, [{}]],
      ['POST', `${INSTANCES}/batch/delete`, { instances: ['first'] }],
      ['PUT', `${INSTANCES}/terminate`, undefined],
      ['DELETE', `${INSTANCES}/first`, undefined],
      ['PATCH', `${INSTANCES}/first/status`, { status: 'pause' }],
      ['POST', `${INSTANCES}/first/events/approve`, {}],
    ] as const) {
      expect((await platform.api(method, path, body, viewer)).status).toBe(403)
    }
    for (const [path, body] of [
      ['command', { command: 'pause' }],
      ['events', { type: 'approve' }],
    ] as const) {
      const answer = await platform.v1('POST', `${INSTANCES}/first/${path}`, body, viewer)
      expect(answer.status).toBe(403)
    }
  })
})
