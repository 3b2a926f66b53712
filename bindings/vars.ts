import type { BindingKind } from './binding.ts'
import { checkVariableSize, invalidBinding, requireVariable } from './fields.ts'

/** A text variable (`[vars]` in wrangler's configuration). */
export const plainText: BindingKind<'plain_text'> = {
  type: 'plain_text',
  parse: (input, name) => ({ type: 'plain_text', name, text: requireVariable(input.text, 'text', name) }),
  bind: spec => spec.text,
}

/** A variable of any JSON type; the function gets the parsed value. */
export const json: BindingKind<'json'> = {
  type: 'json',
  parse: (input, name) => {
    if (input.json === undefined) throw invalidBinding(name, '`json` is missing. Give any JSON value.')
    checkVariableSize(JSON.stringify(input.json), name)
    return { type: 'json', name, json: input.json }
  },
  bind: spec => spec.json,
}
