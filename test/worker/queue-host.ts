import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers'
import type { BindScope } from '../../bindings/binding.ts'
import { bindEnv } from '../../bindings/index.ts'
import type { NewMessage } from '../../bindings/queue/producer.ts'
import { queueObject } from '../../bindings/queue/stub.ts'
import { runBatch } from '../../runtime/queue-batch.ts'
import type { BatchResult, InvocationTarget } from '../../src/core/invoker.ts'
import type { Binding } from '../../src/core/manifest.ts'
import type { QueueBatch, QueueMetrics } from '../../src/core/queue.ts'
import type { StateEnv } from '../../src/env.ts'
import { toDriverCode } from './driver-code.ts'
import type { HostEnv } from './host-env.ts'

export { QueueEntrypoint } from '../../bindings/queue/entrypoint.ts'
export { Queue } from '../../bindings/queue/object.ts'

/** The platform as far as queues need it: one account, one function, its queues. */

interface QueueHostEnv extends HostEnv, StateEnv {
  /** Its compatibility date. */
  readonly DATE: string
  /** `harness`: batches go through the prelude, as on Cloudflare. */
  readonly DELIVERY: 'native' | 'harness'
}

const ACCOUNT = 'a'.repeat(32)

/** Every name is the id of its object. */
export class Account extends DurableObject {
  findResource(_kind: string, name: string) {
    return name.startsWith('absent') ? undefined : { id: name, name, object: name }
  }
}

export class State extends WorkerEntrypoint<QueueHostEnv> {
  async sendToQueue(account: string, object: string, messages: NewMessage[]): Promise<QueueMetrics> {
    return queueObject(this.env, account, object).send(messages)
  }

  async queueMetrics(account: string, object: string): Promise<QueueMetrics> {
    return queueObject(this.env, account, object).metrics()
  }
}

/** Batches that the edge got of scripts that it answers for itself. */
const calls: { script: string; queue: string; attempts: number[]; bodies: string[]; atMs: number }[] = []
const behaviours = new Map<string, Partial<BatchResult> & { delayMs?: number; rejects?: boolean }>()

export class Edge extends WorkerEntrypoint<QueueHostEnv> {
  ping(): void {}

  async runQueue({ script }: InvocationTarget, batch: QueueBatch): Promise<BatchResult> {
    if (script === 'driver') {
      return runBatch(load(this.env, this.ctx.exports), batch, this.env.DELIVERY === 'native')
    }
    const { messages, queue } = batch
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes)
    calls.push({
      script,
      queue,
      attempts: messages.map(({ attempts }) => attempts),
      bodies: messages.map(({ body }) => decode(body)),
      atMs: Date.now(),
    })
    const { delayMs = 0, rejects, ...result } = behaviours.get(script) ?? {}
    if (delayMs > 0) await scheduler.wait(delayMs)
    if (rejects) throw new Error('the edge is gone')
    return {
      outcome: 'ok',
      ackAll: false,
      retryBatch: { retry: false },
      explicitAcks: [],
      retryMessages: [],
      ...result,
    }
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    const [, verb = '', name = '', method = ''] = new URL(request.url).pathname.split('/')
    switch (verb) {
      case 'object': {
        // Calls a method of a queue's object with the body's arguments.
        const object = queueObject(env, ACCOUNT, name) as unknown as Record<
          string,
          (...args: unknown[]) => unknown
        >
        try {
          const args = revive(await request.json()) as unknown[]
          return Response.json({ result: (await object[method]?.(...args)) ?? null })
        } catch (error) {
          return Response.json({ error: (error as Error).message })
        }
      }
      case 'calls':
        return Response.json(calls)
      case 'behave':
        behaviours.set(name, await request.json())
        return Response.json(null)
    }
    return load(env, ctx.exports).getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<QueueHostEnv>

/** Bodies of messages come as text. */
function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive)
  if (value === null || typeof value !== 'object') return value
  const entries = Object.entries(value).map(([key, item]) => [
    key,
    key === 'body' ? new TextEncoder().encode(String(item)) : revive(item),
  ])
  return Object.fromEntries(entries)
}

function load(env: QueueHostEnv, exports: Cloudflare.Exports): WorkerStub {
  const bindings: Binding[] = ['EVENTS', 'PAIRS', 'REFUSED'].map(name => ({
    type: 'queue',
    name,
    queue_name: name.toLowerCase(),
  }))
  const scope = {
    accountId: ACCOUNT,
    exports,
    resources: { 'queue/events': 'events', 'queue/pairs': 'pairs', 'queue/refused': 'refused' },
  } as unknown as BindScope
  return env.LOADER.get('driver', () =>
    toDriverCode(
      env.DRIVER,
      {
        compatibilityDate: env.DATE,
        exports: [{ name: 'default', kind: 'handlers', handlers: ['fetch', 'queue'] }],
        bindings,
      },
      { env: bindEnv(bindings, scope), globalOutbound: null },
    ),
  )
}
