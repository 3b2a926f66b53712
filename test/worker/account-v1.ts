import { DurableObject } from 'cloudflare:workers'

/** An account as the first schema kept it, with a script `old` of one version. Never change it. */
const SCHEMA = `
  CREATE TABLE schema_version (version INTEGER NOT NULL);
  INSERT INTO schema_version VALUES (1);
  CREATE TABLE meta (key TEXT PRIMARY KEY, value);
  CREATE TABLE scripts (
    name TEXT PRIMARY KEY, tag TEXT NOT NULL, created_on TEXT NOT NULL, modified_on TEXT NOT NULL,
    workers_dev INTEGER NOT NULL DEFAULT 1, previews INTEGER NOT NULL DEFAULT 1,
    tailing_until_ms INTEGER NOT NULL DEFAULT 0, tags TEXT NOT NULL DEFAULT '[]',
    settings TEXT NOT NULL DEFAULT '{}', revision INTEGER NOT NULL
  );
  CREATE INDEX scripts_revision ON scripts (revision);
  CREATE TABLE removed_scripts (name TEXT PRIMARY KEY, revision INTEGER NOT NULL);
  CREATE TABLE versions (
    id TEXT PRIMARY KEY, script TEXT NOT NULL, number INTEGER NOT NULL, created_on TEXT NOT NULL,
    source TEXT NOT NULL, author TEXT NOT NULL, annotations TEXT NOT NULL, manifest TEXT NOT NULL,
    isolate TEXT NOT NULL, kv_prefixes TEXT NOT NULL, UNIQUE (script, number)
  );
  CREATE TABLE modules (digest TEXT PRIMARY KEY, size INTEGER NOT NULL);
  CREATE TABLE deployments (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, script TEXT NOT NULL, created_on TEXT NOT NULL,
    source TEXT NOT NULL, author TEXT NOT NULL, annotations TEXT NOT NULL, versions TEXT NOT NULL
  );
  CREATE INDEX deployments_script ON deployments (script, number);
  CREATE TABLE routes (
    id TEXT PRIMARY KEY, pattern TEXT NOT NULL, host TEXT NOT NULL, script TEXT, custom_domain INTEGER NOT NULL,
    UNIQUE (pattern, custom_domain)
  );
  CREATE INDEX routes_script ON routes (script);
  CREATE TABLE kv_namespaces (
    id TEXT PRIMARY KEY, title TEXT NOT NULL UNIQUE, prefix TEXT NOT NULL UNIQUE, created_on TEXT NOT NULL
  );
  INSERT INTO meta VALUES ('account_id', 'a'), ('workers_domain', 'localhost'), ('revision', 7);
  INSERT INTO scripts (name, tag, created_on, modified_on, revision)
    VALUES ('old', 't', '2026-11-20T00:00:00.000000Z', '2026-11-20T00:00:00.000000Z', 7);
  INSERT INTO versions VALUES ('v', 'old', 1, '2026-11-20T00:00:00.000000Z', 'api', '{"id":"i","email":"e"}', '{}',
    '{"format":"modules","mainModule":"m.js","modules":[],"compatibilityDate":"2026-11-01","compatibilityFlags":[],"bindings":[],"exports":[{"name":"default","kind":"handlers","handlers":["fetch"]}],"reads":{"cf":false,"clientHeaders":false},"startupTimeMs":1}',
    'c0ffee', '{}');
  INSERT INTO deployments (id, script, created_on, source, author, annotations, versions)
    VALUES ('d', 'old', '2026-11-20T00:00:00.000000Z', 'api', '{"id":"i","email":"e"}', '{}', '[{"version_id":"v","percentage":100}]')`

export class Account extends DurableObject {
  override fetch(): Response {
    this.ctx.storage.sql.exec(SCHEMA)
    return new Response('made')
  }
}

export default {
  fetch: (request, env) => env.ACCOUNT.getByName('a').fetch(request),
} satisfies ExportedHandler<{ ACCOUNT: DurableObjectNamespace<Account> }>
