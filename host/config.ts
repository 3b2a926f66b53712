/**
 * workerd's configuration, as much of its schema as we use, and its text form.
 *
 * @see workerd.capnp, inside the workerd binary
 */
export interface WorkerdConfig {
  readonly services: readonly ServiceConfig[]
  readonly sockets: readonly SocketConfig[]
  /** V8's flags, for every isolate of the process. */
  readonly v8Flags?: readonly string[]
}

/** A named part of the process: exactly one of the kinds. */
export type ServiceConfig = { readonly name: string } & (
  | { readonly worker: WorkerConfig }
  | { readonly disk: { readonly path: string; readonly writable: boolean; readonly allowDotfiles?: boolean } }
  | { readonly network: NetworkConfig }
  | { readonly external: { readonly address: string; readonly http: HttpConfig } }
)

/** A way out: destinations are checked after name resolution. */
export interface NetworkConfig {
  /** `public`, `private`, or address blocks such as `10.0.0.0/8`. */
  readonly allow: readonly string[]
  readonly tlsOptions?: { readonly trustBrowserCas: boolean }
}

/** A Worker of ours, or one that comes with the binary. */
export interface WorkerConfig {
  readonly modules: readonly ModuleConfig[]
  readonly compatibilityDate: string
  readonly compatibilityFlags?: readonly string[]
  readonly bindings: readonly BindingConfig[]
  readonly durableObjectNamespaces?: readonly DurableObjectConfig[]
  /** Where its objects are kept: the name of a disk service. */
  readonly durableObjectStorage?: { readonly localDisk: string }
  readonly globalOutbound?: string
  /** Who runs its classes of workflows. */
  readonly workflowsEngine?: {
    readonly actorClass: ServiceDesignator
    readonly workflows: readonly {
      readonly name: string
      readonly className: string
      readonly bindingService: ServiceDesignator
    }[]
  }
}

/** A module: a file beside the configuration, or one of the binary's own. */
export type ModuleConfig =
  | { readonly name: string; readonly esModule: Embedded }
  | { readonly name: string; readonly bundled: string }

/** A class of Durable Objects; `uniqueKey` is part of the objects' ids and file names: never change one. */
export interface DurableObjectConfig {
  readonly className: string
  readonly uniqueKey: string
  readonly enableSql: boolean
}

/** One property of the Worker's `env`. */
export type BindingConfig = { readonly name: string } & (
  | { readonly text: string }
  | { readonly json: string }
  | { readonly fromEnvironment: string }
  | { readonly service: string }
  | { readonly workerLoader: { readonly id: string } }
  | { readonly queue: { readonly name: string; readonly props: { readonly json: string } } }
  | { readonly kvNamespace: string | { readonly name: string; readonly props: { readonly json: string } } }
  | { readonly durableObjectNamespace: { readonly className: string; readonly serviceName?: string } }
  | { readonly analyticsEngine: string }
  | {
      readonly wrapped: {
        readonly moduleName: string
        readonly innerBindings: readonly { readonly name: string; readonly service: ServiceDesignator }[]
      }
    }
)

/** What a socket does to requests before the Worker sees them. */
export interface HttpConfig {
  /** Set on every request in place of what the client sent; without `value` the header is removed. */
  readonly injectRequestHeaders?: readonly { readonly name: string; readonly value?: string }[]
  /** RPC goes over the connection: a CONNECT to this made-up host opens it. */
  readonly capnpConnectHost?: string
}

/** Where the process listens: `address`, or a descriptor given by `--socket-fd <name>=<fd>`. */
export interface SocketConfig {
  readonly name: string
  readonly address?: string
  readonly http: HttpConfig
  readonly service: ServiceDesignator
}

/** A service, or one of its entrypoints, or what it is with certain props. */
export type ServiceDesignator =
  | string
  | { readonly name: string; readonly entrypoint?: string; readonly props?: { readonly json: string } }

/** A file's content, read by workerd when it starts; the path is relative to the configuration. */
export class Embedded {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }
}

/** The configuration as the Cap'n Proto text that `workerd serve` reads. Pure; holds no secret unless given one. */
export function toCapnpText(config: WorkerdConfig): string {
  const lines = [
    'using Workerd = import "/workerd/workerd.capnp";',
    '',
    'const config :Workerd.Config = (',
    `  services = [\n${config.services.map(service => `    ${toCapnpValue(service)}`).join(',\n')}\n  ],`,
    `  sockets = [${config.sockets.map(socket => toCapnpValue(socket)).join(', ')}]${
      config.v8Flags ? `,\n  v8Flags = ${toCapnpValue(config.v8Flags)}` : ''
    }`,
    ');',
    '',
  ]
  return lines.join('\n')
}

/** A value as a Cap'n Proto literal: objects are structs (absent fields left out), arrays lists, strings text. */
export function toCapnpValue(value: unknown): string {
  if (value instanceof Embedded) return `embed ${toCapnpString(value.path)}`
  if (typeof value === 'string') return toCapnpString(value)
  if (typeof value === 'boolean' || typeof value === 'number') return String(value)
  if (Array.isArray(value)) return `[${value.map(toCapnpValue).join(', ')}]`
  if (typeof value !== 'object' || value === null) throw new TypeError(`no Cap'n Proto literal for ${value}`)

  const fields = Object.entries(value).filter(([, field]) => field !== undefined)
  return `(${fields.map(([name, field]) => `${name} = ${toCapnpValue(field)}`).join(', ')})`
}

// Whatever could end the literal or break the line is written by its code; the rest is UTF-8 as it is.
function toCapnpString(text: string): string {
  const escaped = text.replace(/["\\\p{Cc}]/gu, char =>
    char === '"' || char === '\\' ? `\\${char}` : `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  )
  return `"${escaped}"`
}
