import { mkdirSync } from 'node:fs'
import type { BindingConfig, ServiceConfig, WorkerConfig } from '../../host/config.ts'

/** The driver's workflow: its name, and the class that it runs. */
const [WORKFLOW, CLASS] = ['flow', 'Flow']
const ENGINE = 'workflows'
const PROPS = { json: JSON.stringify({ workflow: WORKFLOW }) }
const BINDING_SERVICE = { name: ENGINE, entrypoint: 'WorkflowBinding', props: PROPS }

/** How the Worker `test/worker/workflow-driver.ts` is bound to its workflow. */
export const WORKFLOW_BINDING: BindingConfig = {
  name: 'FLOW',
  wrapped: {
    moduleName: 'cloudflare-internal:workflows-api',
    innerBindings: [{ name: 'fetcher', service: BINDING_SERVICE }],
  },
}

/** What the driver's service needs for workerd to run its class. */
export const WORKFLOWS_ENGINE: WorkerConfig['workflowsEngine'] = {
  actorClass: { name: ENGINE, entrypoint: 'Engine' },
  workflows: [{ name: WORKFLOW, className: CLASS, bindingService: BINDING_SERVICE }],
}

/** workerd's own engine of workflows, with its disk in `dir`; the Worker `main`, of `date`, has the class. */
export function embeddedWorkflows(dir: string, date: string): ServiceConfig[] {
  mkdirSync(dir, { recursive: true })
  return [
    {
      name: ENGINE,
      worker: {
        modules: [{ name: 'workflows.js', bundled: '/workerd/workflows.js' }],
        // That of our own Workers: names of errors cross from one isolate to another since 2026-04-21.
        compatibilityDate: '2026-11-01',
        // The one thing that depends on the Worker's date, but is done by the engine.
        compatibilityFlags: date < '2026-05-14' ? ['workflows_replace_non_retryable_error_message'] : [],
        bindings: [
          {
            name: `workflow:${WORKFLOW}`,
            durableObjectNamespace: { className: `miniflare-workflows-${WORKFLOW}`, serviceName: 'main' },
          },
          { name: 'WORKFLOWS', json: '{}' },
        ],
        durableObjectStorage: { localDisk: `${ENGINE}-disk` },
      },
    },
    { name: `${ENGINE}-disk`, disk: { path: dir, writable: true } },
  ]
}
