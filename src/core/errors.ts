/** Who has to act: the caller of an API or function, the function's author, or the platform's operator. */
export type Blame = 'caller' | 'function' | 'platform'

/** What a code means. */
export interface ErrorEntry {
  /** HTTP status of the answer. */
  readonly status: number
  readonly blame: Blame
  /** The same request may succeed later, unchanged. */
  readonly retryable: boolean
  /** What the reader can do, one sentence. */
  readonly remedy: string
  /** Cloudflare's numeric code, where `/client/v4` answers with this error. */
  readonly cloudflareCode?: number
}

const entry = (
  status: number,
  blame: Blame,
  remedy: string,
  more: { retryable?: boolean; cloudflareCode?: number } = {},
): ErrorEntry => ({ status, blame, retryable: false, remedy, ...more })

/** Every code the platform can answer with; `docs/errors.md` is held to this table by a test. */
export const ERRORS = {
  // The gateway, for callers of functions.
  ERR_ROUTE_NOT_FOUND: entry(
    404,
    'caller',
    'Check the host name; `skerry script list` shows what is deployed.',
  ),
  ERR_FUNCTION_NO_FETCH: entry(
    404,
    'function',
    'Give the default export a fetch() handler, or call it another way.',
  ),
  ERR_FUNCTION_EXCEPTION: entry(500, 'function', 'See the exception with `wrangler tail`.'),
  ERR_FUNCTION_EXIT: entry(
    500,
    'function',
    'Return a response, or throw: `process.exit()` and `abortIsolate()` end what runs the request.',
  ),
  ERR_FUNCTION_LOAD: entry(
    500,
    'function',
    'The version did not start; see the exception with `wrangler tail`.',
  ),
  ERR_FUNCTION_TIMEOUT: entry(
    504,
    'function',
    'Answer sooner, or stream: only the time to the response head counts.',
    { retryable: true },
  ),
  ERR_FUNCTION_CPU: entry(
    503,
    'function',
    'Find what computes for so long without a pause; `limits.cpu_ms` of a project raises its limit.',
  ),
  ERR_FUNCTION_MEMORY: entry(503, 'function', 'Find what holds so much memory at once; stream large bodies.'),
  ERR_CONCURRENCY_LIMIT: entry(503, 'function', 'Retry after the time in Retry-After.', { retryable: true }),
  ERR_FUNCTION_QUARANTINED: entry(
    503,
    'function',
    'Retry after the time in Retry-After. Its author deploys a corrected version, or runs `skerry script release`.',
    { retryable: true },
  ),
  ERR_LOOP: entry(508, 'function', 'Stop functions from forwarding a request to each other in a circle.'),
  ERR_BODY_TOO_LARGE: entry(413, 'caller', 'Send a smaller body.'),
  ERR_URL_TOO_LONG: entry(414, 'caller', 'Use a shorter URL; send data in the body.'),
  ERR_BAD_REQUEST: entry(400, 'caller', 'See the message.'),
  ERR_NO_SUPERVISOR: entry(
    409,
    'caller',
    'Restart it where it runs: `wrangler dev`, or a deploy on Cloudflare.',
  ),
  ERR_EDGE_LOST: entry(503, 'platform', 'Retry; the request may have been handled in part.', {
    retryable: true,
  }),
  ERR_STATE_UNAVAILABLE: entry(503, 'platform', 'Retry shortly.', { retryable: true }),
  ERR_EDGE_FULL: entry(503, 'platform', 'Retry shortly; the operator can add processes.', {
    retryable: true,
  }),
  ERR_INTERNAL: entry(
    500,
    'platform',
    'Retry; if it persists, the platform log has the cause under the request id.',
    { cloudflareCode: 10013 },
  ),

  // The gateway's policies, for callers.
  ERR_METHOD_NOT_ALLOWED: entry(405, 'caller', 'Use a method that the header Allow names.'),
  ERR_PATH_REFUSED: entry(
    400,
    'caller',
    'Spell the path without encoded slashes, backslashes or control characters.',
  ),
  ERR_NOT_CACHED: entry(504, 'caller', 'Ask again without `only-if-cached`.'),
  ERR_POLICY_FAILED: entry(500, 'platform', 'The platform log has the cause under the request id.', {
    retryable: true,
  }),
  ERR_UPSTREAM_FAILED: entry(502, 'platform', 'Retry; the platform log has the cause under the request id.', {
    retryable: true,
  }),
  ERR_UPSTREAM_TIMEOUT: entry(504, 'platform', 'Retry; the operator sets how long the upstream may take.', {
    retryable: true,
  }),
  ERR_CREDENTIALS_MISSING: entry(
    401,
    'caller',
    'Send credentials, as the header WWW-Authenticate and the message describe.',
  ),
  ERR_CREDENTIALS_INVALID: entry(401, 'caller', 'Check user name and password.'),
  ERR_JWT_MISSING: entry(401, 'caller', 'Send `Authorization: Bearer <token>`.'),
  ERR_JWT_INVALID: entry(401, 'caller', 'Get a token for this API from its identity provider.'),
  ERR_JWT_EXPIRED: entry(401, 'caller', 'Get a new token from the identity provider.'),
  ERR_ACCESS_TOKEN_MISSING: entry(401, 'caller', 'Send `Authorization: Bearer <token>`.'),
  ERR_ACCESS_TOKEN_INVALID: entry(401, 'caller', 'Get a new token for this API from its identity provider.'),
  ERR_IDENTITY_PROVIDER: entry(503, 'platform', 'Retry shortly; the identity provider does not answer.', {
    retryable: true,
  }),
  ERR_SCOPE_MISSING: entry(403, 'caller', 'Use a token or key that has the scopes in the message.'),
  ERR_API_KEY_MISSING: entry(401, 'caller', 'Send your API key as the message describes.'),
  ERR_API_KEY_INVALID: entry(401, 'caller', 'Check the key, or ask for a new one.'),
  ERR_API_KEY_EXPIRED: entry(401, 'caller', 'Use the key that replaced it, or ask for a new one.'),
  ERR_IP_REFUSED: entry(403, 'caller', 'Call from an address that the operator allows.'),
  ERR_CLIENT_CERT_MISSING: entry(403, 'caller', 'Connect with a client certificate.'),
  ERR_CLIENT_CERT_REFUSED: entry(
    403,
    'caller',
    'Connect with a client certificate that the operator allows.',
  ),
  ERR_ACCESS_REFUSED: entry(403, 'caller', 'Ask the operator for a role or scope that may do this.'),
  ERR_SIGNATURE_MISSING: entry(401, 'caller', 'Sign the message as the provider of the webhook does.'),
  ERR_SIGNATURE_INVALID: entry(
    401,
    'caller',
    'Check the secret, that the clock is right, and that nothing changes the body on its way.',
  ),
  ERR_WEBHOOK_REPLAYED: entry(409, 'caller', 'Sign a message anew to send it again.'),
  ERR_LOGIN_REQUIRED: entry(401, 'caller', 'Log in with a browser, then try again.'),
  ERR_LOGIN_STATE: entry(400, 'caller', 'Start again from the page that you wanted to see.'),
  ERR_LOGIN_FAILED: entry(403, 'caller', 'Try again; the platform log has the cause under the request id.'),
  ERR_CROSS_SITE: entry(403, 'caller', 'Use the page of the site itself.'),

  ERR_REQUEST_INVALID: entry(
    400,
    'caller',
    'Correct what `errors` names; each has the place in the request, and what must be there.',
  ),
  ERR_MEDIA_TYPE: entry(415, 'caller', 'Send a body of a type that the message and the header Accept name.'),
  ERR_OPERATION_NOT_FOUND: entry(404, 'caller', 'Check the path; the description of the API has them all.'),
  ERR_LENGTH_REQUIRED: entry(411, 'caller', 'Send the header Content-Length.'),
  ERR_CORS_REFUSED: entry(403, 'caller', 'Call from a page of an origin that the operator allows.'),
  ERR_MAINTENANCE: entry(503, 'platform', 'Retry after the time in Retry-After.', { retryable: true }),
  ERR_ROUTE_TIMEOUT: entry(504, 'function', 'Retry; the operator sets how long the route may take.', {
    retryable: true,
  }),
  ERR_CIRCUIT_OPEN: entry(503, 'function', 'Retry after the time in Retry-After.', { retryable: true }),
  ERR_ROUTE_CONCURRENCY: entry(503, 'caller', 'Retry after the time in Retry-After.', { retryable: true }),

  ERR_RATE_LIMIT: entry(429, 'caller', 'Retry after the time in Retry-After.', { retryable: true }),
  ERR_QUOTA_EXCEEDED: entry(429, 'caller', 'Wait for the next period, or ask the operator for more.', {
    retryable: true,
  }),
  ERR_IDEMPOTENCY_KEY: entry(400, 'caller', 'Send an Idempotency-Key of 1 to 255 visible characters.'),
  ERR_IDEMPOTENCY_REUSED: entry(422, 'caller', 'Use a new Idempotency-Key for a new request.'),
  ERR_IDEMPOTENCY_IN_PROGRESS: entry(409, 'caller', 'Retry after the time in Retry-After.', {
    retryable: true,
  }),
  ERR_IDEMPOTENCY_NOT_KEPT: entry(
    409,
    'caller',
    'The request was carried out; read its result some other way, or use a new Idempotency-Key to repeat it.',
  ),
  ERR_RECORD_LIMIT: entry(503, 'platform', 'Retry later; the operator can let records live for less time.', {
    retryable: true,
  }),

  // Functions reaching out.
  ERR_EGRESS_REFUSED: entry(
    403,
    'function',
    'Only public addresses are reachable; the operator can allow private ones.',
  ),
  ERR_EGRESS_FAILED: entry(502, 'function', 'Check the address; the platform log has the cause.', {
    retryable: true,
  }),
  ERR_SUBREQUEST_LIMIT: entry(500, 'function', 'Make fewer subrequests per invocation.'),

  // The control plane.
  ERR_GATEWAY_FILE: entry(
    400,
    'caller',
    'Correct the gateway file; `skerry gateway check` points at the line.',
  ),
  ERR_GATEWAY_FILE_TOO_LARGE: entry(
    413,
    'caller',
    'Give similar paths one route with `:name` or `*`, or spread the routes over several accounts.',
  ),
  ERR_GATEWAY_CONFLICT: entry(
    412,
    'caller',
    'See what is in force with `skerry gateway diff`, then apply again.',
  ),
  ERR_GATEWAY_PRECONDITION: entry(
    428,
    'caller',
    'Send `If-Match` with the revision that the file was made from, or `If-Match: *` to replace whatever there is.',
  ),
  ERR_GATEWAY_REVISION_NOT_FOUND: entry(404, 'caller', 'List what is kept with `skerry gateway history`.'),
  ERR_GATEWAY_SECRET_NOT_FOUND: entry(404, 'caller', 'List the secrets with `skerry gateway secret list`.'),
  ERR_GATEWAY_SECRET_USED: entry(409, 'caller', 'Apply a file that does not refer to it first.'),

  ERR_UNAUTHENTICATED: entry(
    401,
    'caller',
    'Send `Authorization: Bearer <token>`; `skerry env` prints one.',
    { cloudflareCode: 10000 },
  ),
  ERR_TOKEN_INVALID: entry(401, 'caller', 'Create a token with `skerry token create`.', {
    cloudflareCode: 1000,
  }),
  ERR_FORBIDDEN: entry(403, 'caller', 'Use a token of a role and account that may do this.', {
    cloudflareCode: 10000,
  }),
  ERR_API_NOT_FOUND: entry(404, 'caller', 'Check the method and path.', { cloudflareCode: 7003 }),
  ERR_API_BODY: entry(400, 'caller', 'Send the body that the message describes.', { cloudflareCode: 10002 }),
  ERR_SCRIPT_NOT_FOUND: entry(404, 'caller', 'Deploy the script first.', { cloudflareCode: 10007 }),
  ERR_SCRIPT_NAME: entry(
    400,
    'caller',
    'Use 1 to 63 lower-case letters, digits, dashes or underscores, starting and ending with a letter or digit.',
    { cloudflareCode: 10016 },
  ),
  ERR_VERSION_NOT_FOUND: entry(404, 'caller', 'List the versions with `wrangler versions list`.', {
    cloudflareCode: 10214,
  }),
  ERR_DEPLOYMENT_INVALID: entry(400, 'caller', 'Name one or two versions whose percentages sum to 100.', {
    cloudflareCode: 10211,
  }),
  ERR_UPLOAD_FORM: entry(
    400,
    'caller',
    'Upload multipart/form-data with a JSON `metadata` part and the modules.',
    { cloudflareCode: 10002 },
  ),
  ERR_UPLOAD_METADATA: entry(400, 'caller', 'Correct the metadata field that the message names.', {
    cloudflareCode: 10021,
  }),
  ERR_UPLOAD_MODULE: entry(400, 'caller', 'Correct the module that the message names.', {
    cloudflareCode: 10021,
  }),
  ERR_UPLOAD_TOO_LARGE: entry(413, 'caller', 'Make the bundle smaller.', { cloudflareCode: 10027 }),
  ERR_SCRIPT_STARTUP: entry(400, 'caller', 'Correct the error in the code.', { cloudflareCode: 10021 }),
  ERR_SCRIPT_NO_HANDLER: entry(400, 'caller', 'Export a handler, such as `export default { fetch() {} }`.', {
    cloudflareCode: 10068,
  }),
  ERR_ASSETS_MANIFEST: entry(
    400,
    'caller',
    'Correct what the message names, and start a new upload session.',
  ),
  ERR_ASSETS_UPLOAD: entry(400, 'caller', 'Send the files that the upload session asked for, as it says.'),
  ERR_ASSETS_TOKEN: entry(401, 'caller', 'Start a new upload session: its tokens are good for an hour.', {
    cloudflareCode: 10000,
  }),
  ERR_ASSETS_CONFIG: entry(400, 'caller', 'Correct the lines that the message names.', {
    cloudflareCode: 100324,
  }),
  ERR_BINDING_INVALID: entry(400, 'caller', 'Correct the binding that the message names.', {
    cloudflareCode: 10021,
  }),
  ERR_BINDING_UNSUPPORTED: entry(
    400,
    'caller',
    'Remove the binding; docs/compatibility.md says what to use instead.',
    { cloudflareCode: 10021 },
  ),
  ERR_BINDING_INHERIT: entry(400, 'caller', 'Set the value: there is none to inherit.', {
    cloudflareCode: 10057,
  }),
  ERR_SERVICE_TARGET: entry(400, 'caller', 'Deploy the target script first.', { cloudflareCode: 10143 }),
  ERR_SERVICE_ENTRYPOINT: entry(400, 'caller', 'Export the entrypoint from the target script first.', {
    cloudflareCode: 10144,
  }),
  ERR_KV_NAMESPACE_MISSING: entry(
    400,
    'caller',
    'Create the namespace, or let the platform adopt unknown ids.',
    {
      cloudflareCode: 10041,
    },
  ),
  ERR_D1_MISSING: entry(400, 'caller', 'Create the database, or let the platform adopt unknown ids.', {
    cloudflareCode: 10181,
  }),
  ERR_R2_BUCKET_MISSING: entry(400, 'caller', 'Create the bucket, or let the platform adopt unknown names.', {
    cloudflareCode: 10085,
  }),
  ERR_BINDING_TAKEN: entry(400, 'caller', 'Choose another name.', { cloudflareCode: 10053 }),
  ERR_RESOURCE_TAKEN: entry(400, 'caller', 'Choose another name, or delete the one there is.'),
  ERR_D1_NOT_FOUND: entry(404, 'caller', 'List the databases: `wrangler d1 list`.', { cloudflareCode: 7404 }),
  ERR_D1_NAME: entry(400, 'caller', 'Use letters, digits, dashes and underscores.', { cloudflareCode: 7400 }),
  ERR_D1_NAME_TAKEN: entry(400, 'caller', 'Choose another name, or use the database there is.', {
    cloudflareCode: 7502,
  }),
  ERR_D1_QUERY: entry(400, 'caller', 'See the message.', { cloudflareCode: 7500 }),
  ERR_D1_REQUEST: entry(400, 'caller', 'Correct the property that the message names.', {
    cloudflareCode: 7400,
  }),
  ERR_D1_TRANSFER: entry(403, 'caller', 'Begin the import or export again.'),
  ERR_D1_UNAVAILABLE: entry(
    503,
    'platform',
    'Ask again shortly; a statement that was sent may have been carried out.',
    { retryable: true, cloudflareCode: 7500 },
  ),
  ERR_R2_BUCKET_NOT_FOUND: entry(404, 'caller', 'List the buckets: `wrangler r2 bucket list`.', {
    cloudflareCode: 10006,
  }),
  ERR_R2_BUCKET_TAKEN: entry(409, 'caller', 'Choose another name, or use the bucket there is.', {
    cloudflareCode: 10004,
  }),
  ERR_R2_BUCKET_NAME: entry(
    400,
    'caller',
    'Use 3 to 63 lower-case letters, digits and dashes, starting and ending with a letter or digit.',
    { cloudflareCode: 10005 },
  ),
  ERR_R2_BUCKET_NOT_EMPTY: entry(409, 'caller', 'Delete its objects first.', { cloudflareCode: 10008 }),
  ERR_R2_OBJECT_NOT_FOUND: entry(404, 'caller', 'List the objects: `skerry r2 objects <bucket>`.', {
    cloudflareCode: 10007,
  }),
  ERR_R2_KEY: entry(400, 'caller', 'Use a key of 1 to 1,024 bytes of UTF-8.', { cloudflareCode: 10020 }),
  ERR_R2_METADATA: entry(400, 'caller', 'Use at most 8,192 bytes of metadata.', { cloudflareCode: 10012 }),
  ERR_R2_TOO_LARGE: entry(413, 'caller', 'Upload it in parts, from a function.', {
    cloudflareCode: 100100,
  }),
  ERR_R2_RANGE: entry(416, 'caller', 'Ask for bytes that the object has.', { cloudflareCode: 10039 }),
  ERR_R2_REQUEST: entry(400, 'caller', 'See the message.', { cloudflareCode: 10028 }),
  ERR_R2_INCOMPLETE: entry(400, 'caller', 'Send the whole body.', { cloudflareCode: 10013 }),
  ERR_R2_UNSUPPORTED: entry(501, 'caller', 'See the message for what to use instead.', {
    cloudflareCode: 10042,
  }),
  ERR_R2_NOTIFICATION: entry(400, 'caller', 'Correct the rule that the message names.', {
    cloudflareCode: 11014,
  }),
  ERR_QUEUE_NOT_FOUND: entry(404, 'caller', 'List the queues: `wrangler queues list`.', {
    cloudflareCode: 11000,
  }),
  ERR_QUEUE_TAKEN: entry(400, 'caller', 'Choose another name: `wrangler queues list` shows those in use.', {
    cloudflareCode: 11009,
  }),
  ERR_QUEUE_INVALID: entry(400, 'caller', 'Correct the field that the message names.', {
    cloudflareCode: 100128,
  }),
  ERR_QUEUE_FULL: entry(429, 'caller', 'Let its consumer catch up, or purge it: `wrangler queues purge`.', {
    retryable: true,
    cloudflareCode: 10251,
  }),
  ERR_QUEUE_MESSAGE: entry(400, 'caller', 'Correct the message, or send fewer at once.', {
    cloudflareCode: 10203,
  }),
  ERR_QUEUE_CONSUMER_TAKEN: entry(
    400,
    'caller',
    'Remove the present consumer first: `wrangler queues consumer remove`.',
    { cloudflareCode: 11004 },
  ),
  ERR_QUEUE_CONSUMER_NOT_FOUND: entry(404, 'caller', 'List the consumers: `wrangler queues info`.', {
    cloudflareCode: 11002,
  }),
  ERR_QUEUE_HANDLER_MISSING: entry(
    400,
    'caller',
    'Export a queue() handler: `export default { queue(batch) {} }`.',
    { cloudflareCode: 11001 },
  ),
  ERR_QUEUE_NO_PULL: entry(400, 'caller', 'Enable it: `wrangler queues consumer http add`.', {
    cloudflareCode: 10405,
  }),
  ERR_WORKFLOW_NOT_FOUND: entry(404, 'caller', 'List the workflows: `wrangler workflows list`.', {
    cloudflareCode: 10200,
  }),
  ERR_WORKFLOW_INVALID: entry(400, 'caller', 'Correct what the message names.', { cloudflareCode: 10001 }),
  ERR_WORKFLOW_CLASS_MISSING: entry(
    400,
    'caller',
    'Export the class from the main module: `export class … extends WorkflowEntrypoint`.',
    { cloudflareCode: 10021 },
  ),
  ERR_WORKFLOW_INSTANCE_NOT_FOUND: entry(
    404,
    'caller',
    'List the instances: `wrangler workflows instances list`; those that ended are kept for a time only.',
    { cloudflareCode: 10400 },
  ),
  // Clients of Cloudflare's own take 409 for a reason to try again.
  ERR_WORKFLOW_INSTANCE_EXISTS: entry(400, 'caller', 'Choose another id, or delete the instance first.', {
    cloudflareCode: 10405,
  }),
  ERR_WORKFLOW_INSTANCE_STATE: entry(
    400,
    'caller',
    'See what the instance does: `wrangler workflows instances describe`.',
    { cloudflareCode: 10401 },
  ),
  ERR_WORKFLOW_FULL: entry(
    429,
    'caller',
    'Delete instances: `wrangler workflows instances delete`; keep those that ended for less long.',
    { retryable: true },
  ),
  ERR_OBJECT_CLASS_NOT_FOUND: entry(
    400,
    'caller',
    'Export the class, and name it in `migrations` of the project that exports it.',
    { cloudflareCode: 10061 },
  ),
  ERR_OBJECT_CLASS_UNEXPORTED: entry(400, 'caller', 'Export the class from the main module.', {
    cloudflareCode: 10070,
  }),
  ERR_OBJECT_CLASS_MISSING: entry(
    400,
    'caller',
    'Export the class from the main module, or rename or delete it in `migrations`.',
    { cloudflareCode: 10064 },
  ),
  ERR_OBJECT_CLASS_STATE: entry(
    400,
    'caller',
    'Compare `migrations` with `skerry object list`: they say what was done already.',
    { cloudflareCode: 10074 },
  ),
  ERR_OBJECT_MIGRATION_TAG: entry(
    400,
    'caller',
    'Deploy again, with the migrations that come after the tag.',
    {
      cloudflareCode: 10079,
    },
  ),
  ERR_OBJECT_MIGRATION_UPLOAD: entry(400, 'caller', 'Run `wrangler deploy` once.', { cloudflareCode: 10211 }),
  ERR_OBJECT_EXPORTS: entry(400, 'caller', 'Correct the entries of `exports` that the message names.', {
    cloudflareCode: 100402,
  }),
  ERR_OBJECT_NAMESPACE_LIMIT: entry(400, 'caller', 'Delete a class that nobody uses.'),
  ERR_OBJECT_NAMESPACE_NOT_FOUND: entry(404, 'caller', 'List the namespaces with `skerry object list`.'),
  ERR_SCRIPT_REFERENCED: entry(
    400,
    'caller',
    'Deploy the other scripts without it first, or delete with `force=true`.',
  ),
  ERR_TAIL_CONSUMER: entry(400, 'caller', 'Deploy the consumer, with a tail() handler, first.', {
    cloudflareCode: 10021,
  }),
  ERR_ANALYTICS_DATASET_NOT_FOUND: entry(
    404,
    'caller',
    'Write a point to it, or list the datasets: `GET /api/v1/accounts/<account>/analytics`.',
  ),
  ERR_SECRET_UNDEPLOYED: entry(
    400,
    'caller',
    'Deploy the latest version first, or use `wrangler versions secret put`.',
    { cloudflareCode: 10215 },
  ),
  ERR_SETTINGS_UNDEPLOYED: entry(400, 'caller', 'Deploy the latest version first.'),
  ERR_SECRET_NOT_FOUND: entry(404, 'caller', 'List the secrets with `wrangler secret list`.', {
    cloudflareCode: 10056,
  }),
  ERR_HOST_TAKEN: entry(409, 'caller', 'Choose another host name.', { cloudflareCode: 100116 }),
  ERR_ROUTE_PATTERN: entry(
    400,
    'caller',
    'Write the pattern as host/path, with * only at the start of the host or the end of the path.',
    { cloudflareCode: 10022 },
  ),
  ERR_ROUTE_TAKEN: entry(409, 'caller', 'Delete the other route first.', { cloudflareCode: 10020 }),
  ERR_CRON_INVALID: entry(400, 'caller', 'Correct the expression.', { cloudflareCode: 10100 }),
  ERR_CRON_LIMIT: entry(400, 'caller', 'Use fewer cron triggers.', { cloudflareCode: 10072 }),
  ERR_KV_NAMESPACE_NOT_FOUND: entry(404, 'caller', 'List the namespaces with `wrangler kv namespace list`.', {
    cloudflareCode: 10013,
  }),
  ERR_KV_TITLE_TAKEN: entry(400, 'caller', 'Choose another title.', { cloudflareCode: 10014 }),
  ERR_KV_TITLE: entry(400, 'caller', 'Use a title of 1 to 512 bytes.', { cloudflareCode: 10019 }),
  ERR_KV_KEY_NOT_FOUND: entry(404, 'caller', 'List the keys with `wrangler kv key list`.', {
    cloudflareCode: 10009,
  }),
  ERR_KV_REQUEST: entry(400, 'caller', 'See the message.', { cloudflareCode: 10012 }),
  ERR_KV_VALUE_TOO_LARGE: entry(413, 'caller', 'Store at most 25 MiB per value.', { cloudflareCode: 10024 }),
  ERR_KV_KEY: entry(400, 'caller', 'Use a key other than the empty text, "." and "..".', {
    cloudflareCode: 10042,
  }),
  ERR_KV_KEY_TOO_LONG: entry(414, 'caller', 'Use a key of at most 504 bytes.', { cloudflareCode: 10030 }),
  ERR_KV_EXPIRATION: entry(400, 'caller', 'Expire at least 60 seconds in the future.', {
    cloudflareCode: 10033,
  }),
  ERR_KV_EXPIRATION_TTL: entry(400, 'caller', 'Use a TTL of at least 60 seconds.', { cloudflareCode: 10034 }),
  ERR_KV_METADATA: entry(400, 'caller', 'Send metadata as JSON of at most 1,024 bytes.', {
    cloudflareCode: 10047,
  }),
  ERR_KV_LIMIT: entry(400, 'caller', 'Ask for 10 to 1,000 keys.', { cloudflareCode: 10028 }),
  ERR_KV_CURSOR: entry(400, 'caller', 'Use the cursor of the page before, or none.', {
    cloudflareCode: 10041,
  }),
  ERR_TAIL_NOT_FOUND: entry(404, 'caller', 'Start a new tail.', { cloudflareCode: 10013 }),
  ERR_TAIL_LIMIT: entry(429, 'caller', 'Close another live log of the script.', { retryable: true }),
  ERR_ACCOUNT_NOT_FOUND: entry(404, 'caller', 'List the accounts with `skerry account list`.', {
    cloudflareCode: 7003,
  }),
  ERR_ACCOUNT_NAME: entry(
    400,
    'caller',
    'Use 1 to 32 lower-case letters, digits and dashes, not taken by another account.',
    { cloudflareCode: 10016 },
  ),
  ERR_TOKEN_REQUEST: entry(400, 'caller', 'See the message.', { cloudflareCode: 10002 }),
  ERR_API_KEY_REQUEST: entry(400, 'caller', 'Correct the field that the message names.'),
  ERR_API_KEY_NOT_FOUND: entry(404, 'caller', 'List the keys with `skerry api-key list`.'),
  ERR_API_KEY_STATE: entry(409, 'caller', 'Create another key with `skerry api-key create`.'),
  ERR_API_KEY_LIMIT: entry(400, 'caller', 'Delete keys that are revoked or have expired.'),
} as const satisfies Record<string, ErrorEntry>

/** A stable error code. */
export type ErrorCode = keyof typeof ERRORS

/**
 * A failure that the platform answers for, with a stable code. Recognise it with `toSkerryError`, never with
 * `instanceof`: it crosses RPC and realms, where only name and message survive. So the code leads the message.
 */
export class SkerryError extends Error {
  readonly code: ErrorCode
  /** What a reader sees: the value, the bound, the way out. */
  readonly detail: string

  constructor(code: ErrorCode, detail: string, options?: ErrorOptions) {
    super(`${code}: ${detail}`, options)
    this.name = 'SkerryError'
    this.code = code
    this.detail = detail
  }

  get status(): number {
    return ERRORS[this.code].status
  }
}

/** Finds our code in whatever was thrown, also when it came over RPC; `undefined` if it is not one of ours. */
export function toSkerryError(error: unknown): SkerryError | undefined {
  if (error instanceof SkerryError) return error
  const message = error instanceof Error ? error.message : ''
  const [, code, detail] = /^(?:SkerryError: )?(ERR_[A-Z0-9_]+): ([\s\S]*)$/.exec(message) ?? []
  if (!code || detail === undefined || !Object.hasOwn(ERRORS, code)) return undefined
  return new SkerryError(code as ErrorCode, detail, { cause: error })
}
