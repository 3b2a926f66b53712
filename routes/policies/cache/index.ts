import { definePolicy } from '../policy.ts'
import { cacheMemory } from './memory.ts'
import { cacheOptions } from './options.ts'
import { CachePhase } from './phase.ts'
import { makeSettings } from './plan.ts'

/** The policy `cache`: a shared HTTP cache (RFC 9111) in front of functions and upstreams. */
export const cachePolicy = definePolicy({
  type: 'cache',
  summary: 'Answers from stored responses, as RFC 9111 allows a shared cache to.',
  options: cacheOptions,
  create: (options, { name }) =>
    new CachePhase(
      makeSettings(options, `${name}#${digest(JSON.stringify(options))}`, cacheMemory, Date.now),
    ),
})

/** What was stored under other options may not be what these would have stored. FNV-1a, 32 bits. */
function digest(text: string): string {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return (hash >>> 0).toString(36)
}
