import type { BindingKind } from '../binding.ts'
import type { AssetsProps } from './entrypoint.ts'

/** The version's own static files. */
export const assets: BindingKind<'assets'> = {
  type: 'assets',
  parse: (_input, name) => ({ type: 'assets', name }),
  bind: (_spec, scope) => {
    const props: AssetsProps = { assets: scope.assets ?? '' }
    return scope.exports.AssetsEntrypoint({ props })
  },
}
