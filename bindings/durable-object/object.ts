import { DurableObject } from 'cloudflare:workers'
import type { ObjectsEnv } from '../../src/env.ts'

/** The host of a user's Durable Object, which is its facet. */
export class UserObject extends DurableObject<ObjectsEnv> {}
