import type { HostileCase } from './case.ts'
import { CPU_CASES } from './cases/cpu.ts'
import { EXIT_CASES } from './cases/exits.ts'
import { FLOOD_CASES } from './cases/floods.ts'
import { INTRUSION_CASES } from './cases/intrusions.ts'
import { MEMORY_CASES } from './cases/memory.ts'

/** Every hostile function, by what it is after. */
export const CASES: readonly { readonly title: string; readonly cases: readonly HostileCase[] }[] = [
  { title: 'the thread', cases: CPU_CASES },
  { title: 'memory', cases: MEMORY_CASES },
  { title: 'a great many small things', cases: FLOOD_CASES },
  { title: 'the end of its process', cases: EXIT_CASES },
  { title: 'what is not its own', cases: INTRUSION_CASES },
]
