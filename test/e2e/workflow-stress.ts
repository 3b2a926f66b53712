// Not part of the tests: `node test/e2e/workflow-stress.ts [instances] [kills]`, about a minute.
import { setTimeout as delay } from 'node:timers/promises'
import { until } from './support/edges.ts'
import { killInTurn } from './support/kills.ts'
import { startPlatform } from './support/platform.ts'

/**
 * Workflows under kills: instances take steps that fail at times, sleep and wait for an event, while processes of
 * the platform are killed and the script is deployed again. Afterwards each acknowledged instance is complete, has
 * seen of each step what was written down of it, and has not been told two things of one step.
 */
const INSTANCES = Number(process.argv[2] ?? 300)
const KILLS = Number(process.argv[3] ?? 20)
const VICTIMS = ['edge', 'state']
const STEPS = 5

const source = (version: number) => `
import { WorkflowEntrypoint } from 'cloudflare:workers'
const retries = { limit: 1000, delay: 50, backoff: 'constant' }
export class Flow extends WorkflowEntrypoint {
  async run(event, step) {
    const seen = []
    for (let i = 0; i < ${STEPS}; i++) {
      seen.push(await step.do('step', { retries }, async () => {
        await scheduler.wait(Math.random() * 100)
        if (Math.random() < 0.1) throw new Error('by chance')
        return crypto.randomUUID()
      }))
    }
    await step.sleep('nap', 1000)
    const [event1, last] = await Promise.all([
      step.waitForEvent('go', { type: 'go', timeout: '1 hour' }),
      step.do('beside', { retries }, async () => 'beside'),
    ])
    return { seen, payload: event1.payload, last, version: ${version} }
  }
}
export default {
  async fetch(request, env) {
    const [, verb, id] = new URL(request.url).pathname.split('/')
    try {
      if (verb === 'create') return Response.json(await env.FLOW.create({ id }).then(({ id }) => id))
      const instance = await env.FLOW.get(id)
      if (verb === 'go') return Response.json((await instance.sendEvent({ type: 'go', payload: id })) ?? null)
      return Response.json(await instance.status())
    } catch (error) {
      return new Response(error.message, { status: error.message.includes('already_exists') ? 409 : 500 })
    }
  },
}`
const bindings = [{ type: 'workflow', name: 'FLOW', workflow_name: 'flow', class_name: 'Flow' }]

interface Described {
  readonly status: string
  readonly output: { seen: string[]; payload: string; last: string; version: number } | null
  readonly error: unknown
  readonly steps: readonly { name: string; type: string; output?: string; attempts?: unknown[] }[]
}

const platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '2' } })
try {
  await platform.upload('flows', source(1), { bindings })
  const repeat = (what: string, path: string) =>
    until(
      what,
      () =>
        platform.call('flows', path).then(
          ({ ok, status }) => ok || status === 409,
          () => false,
        ),
      60_000,
    )
  const ids = Array.from({ length: INSTANCES }, (_, i) => `instance-${i}`)
  const isMade = Promise.all(
    Array.from({ length: 8 }, async (_, worker) => {
      for (const [i, id] of ids.entries()) {
        if (i % 8 !== worker) continue
        await repeat(`${id} is made`, `/create/${id}`)
        await delay(Math.random() * 200)
        await repeat(`${id} has its event`, `/go/${id}`)
      }
    }),
  )
  await killInTurn(platform, {
    ...{ count: KILLS, victims: VICTIMS, pauseMs: 700 },
    deploy: () => platform.upload('flows', source(2), { bindings }),
  })
  await isMade

  const problems: string[] = []
  const versions = new Set<number>()
  let attempts = 0
  for (const id of ids) {
    const describe = async () =>
      (await platform.api<Described>('GET', `$A/workflows/flow/instances/${id}`)).result
    await until(`${id} has ended`, async () => (await describe()).output !== null, 90_000).catch(error =>
      problems.push(String(error)),
    )
    const { status, output, error, steps } = await describe()
    if (status !== 'complete' || !output) {
      problems.push(`${id} is ${status}: ${JSON.stringify(error)}`)
      continue
    }
    versions.add(output.version)
    const written = steps.filter(({ name }) => name.startsWith('step-')).map(step => step.output)
    attempts += steps.reduce((total, step) => total + (step.attempts?.length ?? 0), 0)
    if (JSON.stringify(output.seen) !== JSON.stringify(written)) problems.push(`${id} saw other results`)
    if (new Set(output.seen).size !== STEPS) problems.push(`${id} saw a result twice`)
    if (output.payload !== id || output.last !== 'beside') problems.push(`${id} saw another event`)
  }
  console.log(
    JSON.stringify({
      ...{ instances: INSTANCES, kills: KILLS, versions: [...versions], steps: INSTANCES * (STEPS + 1) },
      ...{ attempts, problems: problems.slice(0, 10) },
    }),
  )
  process.exitCode = problems.length > 0 ? 1 : 0
} finally {
  await platform.stop()
}
