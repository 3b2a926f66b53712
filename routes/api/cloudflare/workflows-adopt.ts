import type { Context } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import type { ExportRef, StoredBinding, WorkflowBinding } from '../../../src/core/manifest.ts'
import type { Api } from '../context.ts'
import { createWorkflow, exportsWorkflow } from './workflows-scope.ts'

/** Whether a binding is of a workflow that runs a class of its own script. */
export function isOwnWorkflow(
  binding: { readonly type: string },
  script: string,
): binding is WorkflowBinding {
  const { type, script_name: home } = binding as Pick<WorkflowBinding, 'type' | 'script_name'>
  return type === 'workflow' && (home === undefined || home === script)
}

/**
 * Refuses bindings of workflows whose class the script itself should have, and hasn't.
 *
 * @throws ERR_WORKFLOW_CLASS_MISSING
 */
export function requireClasses(
  script: string,
  bindings: readonly StoredBinding[],
  exports: readonly ExportRef[],
): void {
  for (const { name, class_name: className } of ownWorkflows(script, bindings)) {
    if (exportsWorkflow(exports, className)) continue
    throw new SkerryError(
      'ERR_WORKFLOW_CLASS_MISSING',
      `Binding "${name}": the script exports no class "${className}" that extends WorkflowEntrypoint. Export it from the main module, or remove the binding.`,
    )
  }
}

/**
 * Makes the workflows of the script's own that don't exist: wrangler tells of them only after the upload,
 * with all their settings.
 */
export async function adoptWorkflows(
  c: Context<Api>,
  script: string,
  bindings: readonly StoredBinding[],
): Promise<void> {
  for (const { workflow_name: name, class_name: className } of ownWorkflows(script, bindings)) {
    if (await c.var.account.registry.findResource('workflow', name)) continue
    await createWorkflow(c, name, { script, className })
  }
}

function ownWorkflows(script: string, bindings: readonly StoredBinding[]): WorkflowBinding[] {
  return bindings.filter(binding => isOwnWorkflow(binding, script))
}
