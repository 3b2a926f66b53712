import { WorkerEntrypoint } from 'cloudflare:workers'
import type { BindScope } from '../../bindings/binding.ts'
import { bindEnv } from '../../bindings/index.ts'
import { callWorkflow, type WorkflowCall, workflowObject } from '../../bindings/workflow/stub.ts'
import { dispose } from '../../bindings/workflow/value.ts'
import { runWorkflow } from '../../runtime/workflow-run.ts'
import type { RunLink, RunRequest } from '../../src/core/invoker.ts'
import type { Binding } from '../../src/core/manifest.ts'
import type { StateEnv } from '../../src/env.ts'
import { toDriverCode } from './driver-code.ts'
import type { HostEnv } from './host-env.ts'

export { WorkflowsEntrypoint } from '../../bindings/workflow/entrypoint.ts'
export { Workflow } from '../../bindings/workflow/object.ts'

/** The platform as far as workflows need it: one account, one function, its workflow. */

interface WorkflowHostEnv extends HostEnv, StateEnv {
  /** Its compatibility date. */
  readonly DATE: string
}

const ACCOUNT = 'a'.repeat(32)
/** The workflow's name is the id of its object. */
const FLOW = 'flow'

export class State extends WorkerEntrypoint<WorkflowHostEnv> {
  callWorkflow(account: string, object: string, call: WorkflowCall): Promise<unknown> {
    return callWorkflow(this.env, account, object, call)
  }

  async attachRun(account: string, object: string, token: string): Promise<RunLink> {
    return workflowObject(this.env, account, object).attach(token) as unknown as RunLink
  }
}

export class Edge extends WorkerEntrypoint<WorkflowHostEnv> {
  ping(): void {}

  override async fetch(request: Request): Promise<Response> {
    const { accountId, object, token, className } = (await request.json()) as RunRequest
    const attached = await this.ctx.exports.State.attachRun(accountId, object, token)
    const link = attached as unknown as RunLink
    try {
      const outcome = await runWorkflow(load(this.env, this.ctx.exports), className, link)
      await link.finish(outcome)
      if ('output' in outcome) dispose(outcome.output)
    } finally {
      dispose(link)
    }
    return new Response()
  }
}

export default {
  async fetch(request, env, ctx): Promise<Response> {
    if (new URL(request.url).pathname === '/configure') {
      const object = workflowObject(env, ACCOUNT, FLOW)
      return Response.json(await object.configure(FLOW, { script: 'driver', className: 'Flow' }))
    }
    return load(env, ctx.exports).getEntrypoint().fetch(request)
  },
} satisfies ExportedHandler<WorkflowHostEnv>

function load(env: WorkflowHostEnv, exports: Cloudflare.Exports): WorkerStub {
  const bindings: Binding[] = [{ type: 'workflow', name: 'FLOW', workflow_name: FLOW, class_name: 'Flow' }]
  const scope = {
    accountId: ACCOUNT,
    exports,
    resources: { [`workflow/${FLOW}`]: FLOW },
  } as unknown as BindScope
  return env.LOADER.get('driver', () =>
    toDriverCode(
      env.DRIVER,
      {
        compatibilityDate: env.DATE,
        exports: [
          { name: 'default', kind: 'handlers', handlers: ['fetch'] },
          { name: 'Flow', kind: 'workflow', handlers: [] },
        ],
        bindings,
      },
      { env: bindEnv(bindings, scope), globalOutbound: null },
    ),
  )
}
