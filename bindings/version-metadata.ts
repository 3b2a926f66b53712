import type { BindingKind } from './binding.ts'

/** `{ id, tag, timestamp }` of the version that runs; `tag` is empty if none was given. */
export const versionMetadata: BindingKind<'version_metadata'> = {
  type: 'version_metadata',
  parse: (_input, name) => ({ type: 'version_metadata', name }),
  bind: (_spec, scope) => ({ id: scope.versionId, tag: scope.versionTag, timestamp: scope.createdOn }),
}
