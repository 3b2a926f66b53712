import type { BindingKind } from '../binding.ts'
import { describe, invalidBinding, requireText } from '../fields.ts'
import type { WorkflowProps } from './entrypoint.ts'
import source from './facade.prelude.js'
import { WORKFLOW_LIMITS } from './limits.ts'
import { isWorkflowName } from './names.ts'

/** A workflow of the account. In its isolate, classes like the native client's are put over the stub. */
export const workflow: BindingKind<'workflow'> = {
  type: 'workflow',
  parse: (input, name) => {
    const workflowName = requireText(input, 'workflow_name', name)
    if (!isWorkflowName(workflowName)) {
      throw invalidBinding(
        name,
        `\`workflow_name\` is ${describe(workflowName)}. Use at most ${WORKFLOW_LIMITS.nameChars} letters, digits, dashes and underscores, and no dash first.`,
      )
    }
    const { script_name: script } = input
    return {
      type: 'workflow',
      name,
      workflow_name: workflowName,
      class_name: requireText(input, 'class_name', name),
      ...(script !== undefined && { script_name: requireText(input, 'script_name', name) }),
    }
  },
  bind: (spec, scope) => {
    const object = scope.resources[`workflow/${spec.workflow_name}`]
    if (!object) {
      throw invalidBinding(
        spec.name,
        `the workflow "${spec.workflow_name}" is not known. Deploy the script again.`,
      )
    }
    const props: WorkflowProps = { accountId: scope.accountId, object }
    return scope.exports.WorkflowsEntrypoint({ props })
  },
  facade: { name: 'workflow', source },
}
