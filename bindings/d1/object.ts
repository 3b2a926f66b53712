import { DurableObject } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'

/** A D1 database. */
export class Database extends DurableObject<ObjectsEnv> {}
