import { API_KEYS_SCHEMA } from './api-keys.ts'
import { ASSETS_SCHEMA } from './assets.ts'
import { DEPLOYMENTS_SCHEMA } from './deployments.ts'
import { GATEWAY_SCHEMA } from './gateway.ts'
import { KV_NAMESPACES_SCHEMA } from './kv-namespaces.ts'
import { META_SCHEMA } from './meta.ts'
import { OBJECT_NAMESPACES_SCHEMA } from './object-namespaces.ts'
import { PURGES_SCHEMA } from './purges.ts'
import { RESOURCES_SCHEMA } from './resources.ts'
import { ROUTES_SCHEMA } from './routes.ts'
import type { Migration } from './schema.ts'
import { SCRIPTS_SCHEMA } from './scripts.ts'
import { STRIKES_SCHEMA } from './strikes.ts'
import { VERSIONS_SCHEMA } from './versions.ts'

/** What an account's database has become over time, in order: released entries never change. */
export const ACCOUNT_MIGRATIONS: readonly Migration[] = [
  [
    META_SCHEMA,
    SCRIPTS_SCHEMA,
    VERSIONS_SCHEMA,
    DEPLOYMENTS_SCHEMA,
    ROUTES_SCHEMA,
    KV_NAMESPACES_SCHEMA,
  ].join(';'),
  STRIKES_SCHEMA,
  [GATEWAY_SCHEMA, API_KEYS_SCHEMA, PURGES_SCHEMA].join(';'),
  [ASSETS_SCHEMA, RESOURCES_SCHEMA, OBJECT_NAMESPACES_SCHEMA].join(';'),
]
