import type { Migration } from '../../src/registry/schema.ts'

/** The tables of `Workflow`; times are milliseconds since the epoch. `README.md` lists the columns. */
export const WORKFLOW_MIGRATIONS: readonly Migration[] = [
  `CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
   CREATE TABLE versions (
     number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, class_name TEXT NOT NULL, created_ms INTEGER NOT NULL
   );
   CREATE TABLE instances (
     seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, source TEXT NOT NULL,
     version TEXT NOT NULL, params BLOB NOT NULL, output BLOB, error TEXT, schedule TEXT,
     created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL, started_ms INTEGER, ended_ms INTEGER,
     wake_ms INTEGER, wake_types TEXT, paused_ms INTEGER,
     success_ms INTEGER NOT NULL, error_ms INTEGER NOT NULL, expires_ms INTEGER
   );
   CREATE INDEX instances_status ON instances (status, seq);
   CREATE INDEX instances_wake ON instances (wake_ms) WHERE wake_ms IS NOT NULL;
   CREATE INDEX instances_expiry ON instances (expires_ms) WHERE expires_ms IS NOT NULL;
   CREATE TABLE steps (
     number INTEGER PRIMARY KEY AUTOINCREMENT, instance INTEGER NOT NULL, type TEXT NOT NULL, name TEXT NOT NULL,
     count INTEGER NOT NULL, state TEXT NOT NULL, output BLOB, UNIQUE (instance, type, name, count)
   );
   CREATE TABLE events (
     number INTEGER PRIMARY KEY AUTOINCREMENT, instance INTEGER NOT NULL, type TEXT NOT NULL,
     payload BLOB NOT NULL, sent_ms INTEGER NOT NULL
   );
   CREATE INDEX events_of ON events (instance, type, number);`,
]
