import type { AnalyticsBinding } from '../../src/core/manifest.ts'
import type { BindingKind, BindScope } from '../binding.ts'
import { invalidBinding, requireText } from '../fields.ts'
import type { AnalyticsProps } from './entrypoint.ts'
import source from './facade.prelude.js'

/** Analytics Engine: `writeDataPoint({ indexes, doubles, blobs })` into a dataset of the account. */
export const analytics = {
  type: 'analytics_engine',
  parse: (input: Readonly<Record<string, unknown>>, name: string) => {
    const dataset = requireText(input, 'dataset', name)
    if (!/^[A-Za-z_][A-Za-z0-9_-]{0,99}$/.test(dataset)) {
      throw invalidBinding(
        name,
        `\`dataset\` is "${dataset.slice(0, 120)}". Use 1 to 100 letters, digits, _ and -, starting with a letter or _.`,
      )
    }
    return { type: 'analytics_engine', name, dataset }
  },
  bind: ({ dataset }: AnalyticsBinding, { accountId, script, exports }: BindScope) => {
    const props: AnalyticsProps = { accountId, script, dataset }
    return exports.AnalyticsEntrypoint({ props })
  },
  facade: { name: 'analytics', source },
} as const satisfies BindingKind<'analytics_engine'>
