import { DurableObject } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'

/** Which objects a namespace of users' Durable Objects has. */
export class ObjectIndex extends DurableObject<ObjectsEnv> {}
