import type { BindingKind } from '../binding.ts'
import { describe, invalidBinding } from '../fields.ts'
import type { R2Props } from './entrypoint.ts'
import source from './facade.prelude.js'
import { isValidBucketName } from './limits.ts'

/** An R2 bucket of the account. */
export const r2: BindingKind<'r2_bucket'> = {
  type: 'r2_bucket',
  facade: { name: 'r2', source },
  parse: (input, name) => {
    const { bucket_name: bucket, jurisdiction } = input
    if (typeof bucket !== 'string' || !isValidBucketName(bucket)) {
      throw invalidBinding(
        name,
        `\`bucket_name\` is ${describe(bucket)}. It must be 3 to 63 lower-case letters, digits and dashes, beginning and ending with a letter or digit; \`wrangler r2 bucket list\` shows the account's buckets.`,
      )
    }
    if (jurisdiction !== undefined && jurisdiction !== 'default') {
      throw invalidBinding(
        name,
        `\`jurisdiction\` is ${describe(jurisdiction)}. All buckets are on this platform; leave it out.`,
      )
    }
    return { type: 'r2_bucket', name, bucket_name: bucket }
  },
  bind: (spec, scope) => {
    const bucketId = scope.resources[`r2_bucket/${spec.bucket_name}`]
    if (!bucketId) {
      throw invalidBinding(
        spec.name,
        `the bucket "${spec.bucket_name}" is not known. Deploy the script again.`,
      )
    }
    const props: R2Props = { accountId: scope.accountId, bucketId }
    return scope.exports.R2Entrypoint({ props })
  },
}
