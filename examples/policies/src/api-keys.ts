import type { ApiKey, ApiKeyService } from 'skerry/policies'

/**
 * API keys by the SHA-256 of their texts, 64 hex digits: `printf %s "$KEY" | sha256sum`. A table in KV or D1 will do
 * as well: `find` may return a promise.
 */
const KEYS: Readonly<Record<string, ApiKey>> = {
  // not-a-secret-partner-key
  f64f377dacddcfa0ea0c59cba4bdc0ba07e740e9ea4c639b6650b3ca9d1918ed: {
    id: 'partner-1',
    prefix: 'not-a-se',
    name: 'The first partner',
    owner: 'partner@example.com',
    scopes: ['orders:read'],
    metadata: {},
    expiresAtMs: 0,
    revokedAtMs: 0,
  },
}

export const apiKeys: ApiKeyService = { find: hash => KEYS[hash] }
