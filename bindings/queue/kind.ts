import type { BindingKind } from '../binding.ts'
import { describe, invalidBinding } from '../fields.ts'
import type { QueueProps } from './entrypoint.ts'
import source from './facade.prelude.js'
import { isDelay, QUEUE_LIMITS } from './limits.ts'

/** A queue of the account that the function sends to. In its isolate, the native producer's class is put over the stub. */
export const queue: BindingKind<'queue'> = {
  type: 'queue',
  parse: (input, name) => {
    const { queue_name: queueName, delivery_delay: delay } = input
    const problem = typeof queueName === 'string' ? checkQueueName(queueName) : describe(queueName)
    if (typeof queueName !== 'string' || problem) {
      throw invalidBinding(name, `\`queue_name\` is ${problem}; \`wrangler queues list\` shows the queues.`)
    }
    if (delay !== undefined && delay !== null && !isDelay(delay)) {
      throw invalidBinding(
        name,
        `\`delivery_delay\` is ${describe(delay)}. It must be an integer from 0 to ${QUEUE_LIMITS.maxDelaySeconds} (seconds).`,
      )
    }
    return { type: 'queue', name, queue_name: queueName, ...(isDelay(delay) && { delivery_delay: delay }) }
  },
  bind: (spec, scope) => {
    const object = scope.resources[`queue/${spec.queue_name}`]
    if (!object) {
      throw invalidBinding(spec.name, `the queue "${spec.queue_name}" is not known. Deploy the script again.`)
    }
    const { accountId } = scope
    const props: QueueProps = {
      accountId,
      object,
      ...(spec.delivery_delay !== undefined && { deliveryDelay: spec.delivery_delay }),
    }
    return scope.exports.QueueEntrypoint({ props })
  },
  facade: { name: 'queue', source },
}

/** What is wrong with a queue's name, by Cloudflare's rules; `undefined` = nothing. */
export function checkQueueName(name: string): string | undefined {
  if (name.length > QUEUE_LIMITS.nameChars) {
    return `a name of ${name.length} characters, where at most ${QUEUE_LIMITS.nameChars} are allowed`
  }
  if (/^[a-zA-Z0-9]([a-zA-Z0-9_-]*[a-zA-Z0-9])?$/.test(name)) return undefined
  return `${describe(name)}, which is no name: use letters, digits, dashes and underscores, with a letter or digit at both ends`
}
