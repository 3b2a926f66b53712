import type { BindingKind } from './binding.ts'
import { requireVariable } from './fields.ts'

/**
 * A secret variable. `parse` gives it open, as it was uploaded: the registry encrypts it before it is stored,
 * and no answer of the API repeats it.
 */
export const secretText: BindingKind<'secret_text'> = {
  type: 'secret_text',
  parse: (input, name) => ({ type: 'secret_text', name, text: requireVariable(input.text, 'text', name) }),
  bind: spec => spec.text,
}
