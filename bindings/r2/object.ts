import { DurableObject } from 'cloudflare:workers'
import type { StateEnv } from '../../src/env.ts'

/** An R2 bucket: which objects it has, and the blobs that hold their bytes. */
export class Bucket extends DurableObject<StateEnv> {}
