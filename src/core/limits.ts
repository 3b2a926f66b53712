/** Limits, in one place: unit in the name, who enforces it in the comment. `docs/limits.md` is checked against it. */
export const LIMITS = {
  /** Time from a request's arrival at the gateway to the function's response head. Gateway. */
  wallClockMs: 30_000,
  /** Invocations of one script waiting for their response head at once, per edge. Gateway. */
  concurrency: 100,
  /** A version's top level, awaits included, when it is uploaded. Control plane; an endless loop is not caught. */
  startupMs: 5000,
  /** Times one request may be passed on between functions by their public host names. Gateway. */
  internalHops: 16,
  /** A request's body. Gateway. Cloudflare's Free and Pro plans: 100 MB. */
  requestBodyBytes: 100 * 1000 * 1000,
  /** All modules of a version, source maps apart. Control plane; workerd itself refuses 64 MiB. */
  uploadBytes: 64 * 1024 * 1024,
  /** One module: the code store is a KV namespace. Control plane. */
  moduleBytes: 25 * 1024 * 1024,
  modules: 10_000,
  /** One text or JSON variable or secret. Cloudflare: 5 KB; control plane. */
  variableBytes: 5 * 1024,
  bindings: 500,
  scriptNameChars: 63,
  /** KV, as Cloudflare's; a key is 8 bytes shorter because of the namespace's prefix. */
  kvKeyBytes: 512 - 8,
  kvValueBytes: 25 * 1024 * 1024,
  kvMetadataBytes: 1024,
  kvMinTtlSeconds: 60,
  /** Keys of one bulk write or delete through the API, as Cloudflare's; wrangler sends 1,000. Control plane. */
  kvBulkKeys: 10_000,
  cronsPerScript: 250,
  /** Subrequests of one script that wait for a response head, and its open sockets, at once, per edge. Cloudflare: 6 per invocation. runtime/outbound.ts. */
  outboundConcurrency: 600,
  /** Subrequests of one script at once and per second after that, per edge: an invocation can't be told from another. runtime/outbound.ts. */
  outboundBurst: 10_000,
  outboundPerSecond: 2000,
  /** Live logs of one script at once, as on Cloudflare. src/observe/tail-hub.ts. */
  tailsPerScript: 10,
  /** How long a live log lasts. src/observe/tail-hub.ts. */
  tailMs: 6 * 60 * 60 * 1000,
} as const
