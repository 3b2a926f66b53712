import { LIMITS } from '../../src/core/limits.ts'

/** Bounds of Cloudflare's Workflows, in the units that the names say; where they are ours, the comment says so. */
export const WORKFLOW_LIMITS = {
  /** Steps of an instance, unless its workflow says otherwise, and at most. */
  defaultSteps: LIMITS.workflowSteps,
  maxSteps: LIMITS.workflowMaxSteps,
  /** A payload, or a result of a step or of `run()`, as it is stored. */
  valueBytes: LIMITS.workflowValueBytes,
  retentionMs: LIMITS.workflowRetentionMs,
  batch: LIMITS.workflowBatch,
  /** Ours: instances of one workflow that are in memory at once; others are queued. */
  runs: LIMITS.workflowRuns,
  /** Ours: steps of one account's instances that begin in a second; more wait. */
  stepsPerSecond: LIMITS.workflowStepsPerSecond,
  /** Ours, of one workflow with all that its instances hold. */
  storageBytes: LIMITS.workflowStorageBytes,
  nameChars: 64,
  idChars: 100,
  stepNameChars: 256,
  eventTypeChars: 100,
  /** A function that says how long to wait before a retry has that long to say it. */
  delayFunctionMs: 5000,
  /** Ours: of a step's attempts, as many are told of. */
  attemptsKept: 10,
} as const
