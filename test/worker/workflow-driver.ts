import { WorkflowEntrypoint, type WorkflowEvent, type WorkflowStep } from 'cloudflare:workers'
import type { Ledger } from './contract-driver.ts'
import { CALLS, until, untilEnd, VALUES } from './workflow-cases.ts'
import { type Audience, SCENES, type Scene, type Stage, type Step } from './workflow-scenes.ts'
import { see, show, toLine, toText } from './workflow-see.ts'
import { STATE_CASES } from './workflow-states.ts'

/**
 * A Worker that tries every call of workflows, and is the workflow. It runs on workerd's own engine and on
 * ours; `test/contract/workflow.test.ts` compares.
 */

interface Env {
  readonly FLOW: Workflow
  /** Where what programs note is kept, if they may run in another process than those who ask. */
  readonly LEDGER?: DurableObjectNamespace<Ledger>
}

/** What an instance is to do. */
interface Params {
  readonly scene: string
  readonly value?: unknown
}

const memory = new Map<string, unknown[]>()
const inMemory = {
  add: (key: string, lines: readonly unknown[]) => memory.set(key, [...inMemory.read(key), ...lines]),
  read: (key: string) => memory.get(key) ?? [],
}
const ledgerOf = ({ LEDGER }: Env) => LEDGER?.getByName('workflows') ?? inMemory

/** How a value goes into a program and out of it. */
const WAYS: Readonly<Record<string, Scene>> = {
  'as params': { run: ({ event }) => show(event.payload.value) },
  "as a step's result": {
    run: ({ step, event }) =>
      see(async () =>
        show(await step.do('value', { retries: { limit: 0, delay: 0 } }, async () => made(event))),
      ),
  },
  "as run()'s result": { run: ({ event }) => made(event) },
  "as an event's payload": {
    run: async ({ step }) => {
      const event = await step.waitForEvent('value', { type: 'value' })
      return show((event as { payload: unknown }).payload)
    },
  },
}
const PROGRAMS: Readonly<Record<string, Scene>> = { ...SCENES, ...STATE_CASES, ...WAYS }

export class Flow extends WorkflowEntrypoint<Env, Params> {
  override async run(event: Readonly<WorkflowEvent<Params>>, step: WorkflowStep): Promise<unknown> {
    const scene = PROGRAMS[event.payload?.scene]
    if (scene) {
      const { instanceId } = event
      const ledger = ledgerOf(this.env)
      return scene.run({
        step: step as unknown as Step,
        event,
        self: this,
        note: async line => void (await ledger.add(instanceId, [line])),
        hear: line => until(async () => (await ledger.read(`${instanceId} hears`)).includes(line)),
      })
    }
    await step.do('given', async () => 1)
    return {
      payload: show(event.payload),
      keys: Object.keys(event),
      instanceId: event.instanceId,
      workflowName: event.workflowName,
      timestamp: Math.abs(event.timestamp.getTime() - Date.now()) < 60_000,
    }
  }
}

export default {
  async fetch(request, env): Promise<Response> {
    const url = new URL(request.url)
    const run = PARTS[url.pathname.split('/').at(-1) ?? '']
    if (!run) return new Response(null, { status: 404 })
    return Response.json(await run(env, url.searchParams.get('only')))
  },
} satisfies ExportedHandler<Env>

type Outcomes = Promise<[string, unknown][]>

const PARTS: Readonly<Record<string, (env: Env, only: string | null) => Outcomes>> = {
  calls: ({ FLOW }, only) =>
    tryAll(Object.keys(CALLS), only, (name, id) => see(() => CALLS[name]?.(FLOW, id))),
  values: (env, only) =>
    tryAll(
      Object.keys(VALUES).flatMap(value => Object.keys(WAYS).map(way => `${value} ${way}`)),
      only,
      (name, id) => {
        const way = Object.keys(WAYS).find(way => name.endsWith(` ${way}`)) as string
        return convey(env, id, name.slice(0, -way.length - 1), way)
      },
    ),
  scenes: (env, only) => tryAll(Object.keys(SCENES), only, (name, id) => play(env, id, name)),
  states: (env, only) =>
    tryAll(Object.keys(STATE_CASES), only, async (name, id) => {
      const instance = await env.FLOW.create({ id, params: { scene: name } })
      return STATE_CASES[name]?.act?.(audienceOf(env, instance))
    }),
}

/** As many at once as leave the machine to answer in time. */
const AT_ONCE = 30
const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g
/** Errors that come from an object say which. */
const OBJECT_ID = /[0-9a-f]{64}/g

/** Each case with an id that begins like no other's; outcomes have `<id>` in its place. */
async function tryAll(
  names: readonly string[],
  only: string | null,
  run: (name: string, id: string) => Promise<unknown>,
): Outcomes {
  const results: [string, unknown][] = names
    .filter(name => !only || name.includes(only))
    .map(name => [name, undefined])
  const todo = results.values()
  const work = async () => {
    for (const result of todo) {
      const id = `i${crypto.randomUUID()}`
      const outcome = await run(result[0], id).catch(error => `! ${toLine(error)}`)
      const text = JSON.stringify(outcome).replaceAll(id, '<id>')
      result[1] = JSON.parse(text.replaceAll(UUID, '<uuid>').replaceAll(OBJECT_ID, '<object>'))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work))
  return results
}

async function play(env: Env, id: string, name: string): Promise<object> {
  const { act } = SCENES[name] as Scene
  const instance = await env.FLOW.create({ id, params: { scene: name } })
  const audience = audienceOf(env, instance)
  const acted = act && (await see(() => act(audience)))
  const end = await endOf(instance)
  return { ...(act && { acted }), end, notes: (await audience.notes()).map(toText) }
}

async function convey(env: Env, id: string, name: string, way: string): Promise<string> {
  const value = VALUES[name]?.()
  const params = { scene: way, value: way === 'as params' ? value : name }
  const instance = await env.FLOW.create({ id, params })
  if (way === "as an event's payload") await instance.sendEvent({ type: 'value', payload: value })
  return endOf(instance)
}

async function endOf(instance: WorkflowInstance): Promise<string> {
  const { status, output, error } = await untilEnd(instance)
  const shown = `${status}: ${toText(output)}`
  if (!error) return shown
  const { name, message, ...more } = error
  return `${shown} ! ${name}: ${message}${Object.keys(more)}`
}

function audienceOf(env: Env, instance: WorkflowInstance): Audience {
  return {
    instance,
    flow: env.FLOW,
    notes: async () => [...(await ledgerOf(env).read(instance.id))],
    say: async line => void (await ledgerOf(env).add(`${instance.id} hears`, [line])),
  }
}

function made({ payload }: Stage['event']): unknown {
  return VALUES[String(payload.value)]?.()
}
