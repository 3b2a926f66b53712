import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { isAway, stateRole } from '../../src/roles.ts'
import { failure, refusal } from './failures.ts'
import type { WorkflowCall } from './stub.ts'
import type { InstanceCommand, WorkflowCalls } from './types.ts'
import { dispose } from './value.ts'

/** Which workflow a function's binding is of. Set by the platform only. */
export interface WorkflowProps {
  readonly accountId: string
  /** The id of the object that has the instances. */
  readonly object: string
}

/**
 * A workflow's binding, as the facade in the function's isolate calls it: the methods that the native client class
 * asks of its engine. Every method can be called by the function, so there are no others.
 */
export class WorkflowsEntrypoint extends WorkerEntrypoint<EdgeEnv, WorkflowProps> {
  async create(options?: unknown): Promise<unknown> {
    return this.#call('create', options, 'binding')
  }

  /** A list gives a list of those that were made; an object, also what was wrong with the others. */
  async createBatch(options?: unknown): Promise<unknown> {
    const result = (await this.#call('createBatch', options, 'binding')) as { created: unknown }
    return Array.isArray(options) ? result.created : result
  }

  /** Whether there is one: its id. */
  async getInstance(id?: unknown): Promise<unknown> {
    return this.#call('find', id)
  }

  async status(id?: unknown): Promise<unknown> {
    return this.#call('status', id)
  }

  async pause(id?: unknown): Promise<void> {
    await this.#command(id, 'pause')
  }

  async resume(id?: unknown): Promise<void> {
    await this.#command(id, 'resume')
  }

  async terminate(id?: unknown, options?: { rollback?: unknown }): Promise<void> {
    if (options?.rollback) {
      throw refusal('body', 'rollback is not supported by this platform. Undo in a catch block of run().')
    }
    await this.#command(id, 'terminate')
  }

  async restart(id?: unknown, options?: { from?: unknown }): Promise<void> {
    await this.#command(id, 'restart', options?.from)
  }

  async sendEvent(id?: unknown, event?: { type?: unknown; payload?: unknown }): Promise<void> {
    await this.#call('sendEvent', id, { type: event?.type, payload: event?.payload })
  }

  async deleteInstance(id?: unknown): Promise<void> {
    const { errors } = (await this.#call('deleteInstances', [id])) as { errors: unknown[] }
    if (errors.length > 0) throw refusal('instance.not_found', 'Instance does not exist')
  }

  async deleteBatch(options?: { instances?: unknown }): Promise<unknown> {
    return this.#call('deleteInstances', options?.instances)
  }

  async subscribe(): Promise<never> {
    throw failure(
      'WorkflowError',
      'subscribe() is not supported by this platform. Ask for status(), or have run() write to a queue.',
    )
  }

  async #command(id: unknown, command: InstanceCommand, from?: unknown): Promise<void> {
    await this.#call('command', id, command, from)
  }

  async #call(method: keyof WorkflowCalls, ...args: unknown[]): Promise<unknown> {
    const { accountId, object } = this.ctx.props
    const call: WorkflowCall = { method, args }
    try {
      // Not repeated when the process goes: what it did before nobody knows, and the function can tell best.
      const result = await stateRole(this.env, this.ctx.exports).callWorkflow(accountId, object, call)
      dispose(result)
      return result
    } catch (error) {
      if (isAway(error)) throw failure('WorkflowError', '(workflow.unavailable) Try again shortly')
      throw error
    }
  }
}
