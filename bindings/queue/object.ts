import { DurableObject } from 'cloudflare:workers'
import type { StateEnv } from '../../src/env.ts'

/** A queue: its settings, its consumers, and its messages until they are acknowledged. */
export class Queue extends DurableObject<StateEnv> {}
