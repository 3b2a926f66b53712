import { Hono } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { Api } from '../context.ts'

/** What R2 has and the platform hasn't, refused by name so that nobody believes it is set. Mounted with `r2`. */
export const r2Unsupported = new Hono<Api>()

const UNSUPPORTED: readonly (readonly [path: string, what: string, instead: string])[] = [
  ['lifecycle', 'Lifecycle rules', 'Delete objects by a function with a cron trigger.'],
  ['lock', 'Bucket locks', 'Refuse writes in the function that has the bucket.'],
  ['cors', 'CORS policies of buckets', 'Serve the objects by a function, on a route with the policy "cors".'],
  ['domains/*', 'Public addresses of buckets', 'Serve the objects by a function: `env.BUCKET.get(key)`.'],
  ['sippy', 'Sippy, which copies from another store', 'Read from the other store in a function, and put it.'],
  [
    'sippy/*',
    'Sippy, which copies from another store',
    'Read from the other store in a function, and put it.',
  ],
]

for (const [path, what, instead] of UNSUPPORTED) {
  r2Unsupported.all(`/:bucket/${path}`, () => {
    throw unsupported(what, instead)
  })
}

/** R2's other parts. Mounted at `/accounts/:account`. */
export const r2Elsewhere = new Hono<Api>()

for (const path of ['/r2-catalog', '/r2-catalog/*']) {
  r2Elsewhere.all(path, () => {
    throw unsupported('The data catalog of R2', 'Keep tables in D1.')
  })
}
for (const path of ['/r2/temp-access-credentials', '/slurper/*', '/r2/metrics']) {
  r2Elsewhere.all(path, () => {
    throw unsupported(
      'This part of R2',
      'Buckets, objects and notifications are here; `skerry r2 list` has counts and bytes.',
    )
  })
}

function unsupported(what: string, instead: string): SkerryError {
  return new SkerryError('ERR_R2_UNSUPPORTED', `${what}: not supported here. ${instead}`)
}
