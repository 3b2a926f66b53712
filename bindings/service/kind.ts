import type { BindingKind } from '../binding.ts'
import { describe, invalidBinding, requireText } from '../fields.ts'

/** The name of the platform's own entrypoint in every isolate: no service binding may reach it. */
export const HARNESS_ENTRYPOINT = 'SkerryHarness'

/** Whom a service binding calls. Set by the platform only; a function never sees or names it. */
export interface ServiceProps {
  readonly accountId: string
  readonly script: string
  /** An exported class; omitted = the default export. */
  readonly entrypoint?: string
  /** `ctx.props` of the callee, from the binding's own configuration. */
  readonly props?: Record<string, unknown>
}

/** A binding to another function of the same account: `fetch` and RPC. */
export const service: BindingKind<'service'> = {
  type: 'service',
  parse: (input, name) => {
    const { entrypoint, props } = input
    if (entrypoint !== undefined && (typeof entrypoint !== 'string' || entrypoint === '')) {
      throw invalidBinding(
        name,
        `\`entrypoint\` is ${describe(entrypoint)}. Name an exported class, or omit it.`,
      )
    }
    if (entrypoint === HARNESS_ENTRYPOINT) {
      throw invalidBinding(name, `\`entrypoint\` is "${entrypoint}", which is reserved. Name another class.`)
    }
    if (props !== undefined && (props === null || typeof props !== 'object' || Array.isArray(props))) {
      throw invalidBinding(name, `\`props\` is ${describe(props)}. It must be an object, or omitted.`)
    }
    return {
      type: 'service',
      name,
      service: requireText(input, 'service', name),
      // wrangler's `default` and no entrypoint are the same.
      ...(entrypoint !== undefined && entrypoint !== 'default' && { entrypoint }),
      ...(props !== undefined && { props: props as Record<string, unknown> }),
    }
  },
  bind: (spec, scope) => {
    const props: ServiceProps = {
      accountId: scope.accountId,
      script: spec.service,
      ...(spec.entrypoint !== undefined && { entrypoint: spec.entrypoint }),
      ...(spec.props !== undefined && { props: spec.props }),
    }
    return scope.exports.ServiceEntrypoint({ props })
  },
}
