// Not part of the tests: `node test/e2e/object-stress.ts [objects] [kills]`, about a minute and a half.
import { setTimeout as delay } from 'node:timers/promises'
import { until } from './support/edges.ts'
import { killInTurn } from './support/kills.ts'
import { startPlatform } from './support/platform.ts'

/**
 * Durable Objects under kills: many objects count and set alarms while processes of the platform are killed and
 * the script is deployed again. Afterwards each has counted every increment that was acknowledged, at most one
 * more for each that was not, and every acknowledged alarm has fired.
 */
const OBJECTS = Number(process.argv[2] ?? 1000)
const KILLS = Number(process.argv[3] ?? 20)
const CALLERS = 16
const VICTIMS = ['objects-0', 'state', 'edge']

const source = (version: number) => `
import { DurableObject } from 'cloudflare:workers'
export class Counter extends DurableObject {
  async increment() {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1
    await this.ctx.storage.put('count', count)
    // Nobody waits for it, and yet it holds when the answer is there.
    this.ctx.storage.setAlarm(Date.now() + 1000)
    return { count, version: ${version} }
  }
  async alarm() {
    await this.ctx.storage.put('at', (await this.ctx.storage.get('count')) ?? 0)
  }
  async look() { return [await this.ctx.storage.get('count'), await this.ctx.storage.get('at'), await this.ctx.storage.getAlarm()] }
}
export default {
  async fetch(request, env) {
    const [, name, method] = new URL(request.url).pathname.split('/')
    return Response.json(await env.COUNTER.getByName(name)[method]())
  },
}`
const bindings = [{ type: 'durable_object_namespace', name: 'COUNTER', class_name: 'Counter' }]
const migrations = { new_tag: 'v1', steps: [{ new_sqlite_classes: ['Counter'] }] }

interface Tally {
  acknowledged: number
  unanswered: number
}

const platform = await startPlatform('start', { env: { SKERRY_PROCESSES: '2' } })
try {
  await platform.upload('counters', source(1), { bindings, migrations })
  const tallies = Array.from({ length: OBJECTS }, (): Tally => ({ acknowledged: 0, unanswered: 0 }))
  const versions = new Set<number>()
  let isOver = false
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    for (let at = caller; !isOver; at = (at + CALLERS) % OBJECTS) {
      const tally = tallies[at] as Tally
      const answer = await platform
        .call('counters', `/object-${at}/increment`)
        .then(async response => (response.ok ? ((await response.json()) as { version: number }) : undefined))
        .catch(() => undefined)
      if (answer) {
        tally.acknowledged++
        versions.add(answer.version)
      } else tally.unanswered++
    }
  })
  await until(
    'each object was called',
    async () => tallies.every(({ acknowledged }) => acknowledged > 0),
    300_000,
  )
  await killInTurn(platform, {
    ...{ count: KILLS, victims: VICTIMS, pauseMs: 500 },
    deploy: () => platform.upload('counters', source(2), { bindings }),
  })
  await delay(1000)
  isOver = true
  await Promise.all(callers)

  const problems: string[] = []
  for (const [at, { acknowledged, unanswered }] of tallies.entries()) {
    const look = async () =>
      JSON.parse(await platform.read('counters', `/object-${at}/look`)) as [number, number, number | null]
    await until(`object-${at} has run its alarm`, async () => (await look())[2] === null, 20_000).catch(
      error => problems.push(String(error)),
    )
    const [count, seen] = await look()
    const isRight = count >= acknowledged && count <= acknowledged + unanswered
    if (!isRight) problems.push(`object-${at}: ${count} for ${acknowledged} acknowledged, ${unanswered} not`)
    // A kill may come between an increment and its alarm, before either was answered for.
    if (!(seen >= acknowledged && seen <= count)) {
      problems.push(`object-${at}: its alarm saw ${seen} of ${count}, ${acknowledged} of them acknowledged`)
    }
  }
  const sum = (key: keyof Tally) => tallies.reduce((total, tally) => total + tally[key], 0)
  console.log(
    JSON.stringify({
      ...{ objects: OBJECTS, kills: KILLS, versions: [...versions] },
      ...{ acknowledged: sum('acknowledged'), unanswered: sum('unanswered'), problems },
    }),
  )
  process.exitCode = problems.length > 0 || !versions.has(2) ? 1 : 0
} finally {
  await platform.stop()
}
