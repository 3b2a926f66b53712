import { WORKFLOW_LIMITS } from './limits.ts'

/** Whether a workflow may have the name, by Cloudflare's rules. */
export function isWorkflowName(name: string): boolean {
  return name.length <= WORKFLOW_LIMITS.nameChars && NAME.test(name)
}

/** Whether it can be an instance's id. */
export function isInstanceId(id: unknown): id is string {
  return typeof id === 'string' && id.length <= WORKFLOW_LIMITS.idChars && NAME.test(id)
}

/** Whether it can be the type of an event. */
export function isEventType(type: unknown): type is string {
  return typeof type === 'string' && type.length <= WORKFLOW_LIMITS.eventTypeChars && NAME.test(type)
}

/** Whether an instance can be asked for by it: more than can be made. */
export function isInstanceAddress(id: unknown): boolean {
  return typeof id === 'string' && /^[a-zA-Z0-9, */#_-]{1,271}$/.test(id)
}

/** Whether an id means something else in the API's paths. */
export function isReservedId(id: string): boolean {
  return ['batch', 'terminate', 'terminateAll'].includes(id) || /^cf_[0-9a-f]{64}$/.test(id)
}

const NAME = /^[a-zA-Z0-9_][a-zA-Z0-9-_]*$/
