import type { BaseIssue } from 'valibot'

/** Where in a document something is wrong, and what. */
export interface FoundIssue {
  /** Keys and indexes from the top: `['policies', 'fair', 'limit']`. */
  readonly path: readonly (string | number)[]
  /** The problem and the way out, one sentence. */
  readonly message: string
}

/** One of valibot's issues in our words: the field, what was found, what is allowed. */
export function toFoundIssue(issue: BaseIssue<unknown>): FoundIssue {
  const path = (issue.path ?? []).map(item => (item as { key: unknown }).key as string | number)
  return { path, message: messageOf(issue, path.at(-1)) }
}

/** The same as one sentence that begins with the field. */
export function describeIssue(issue: BaseIssue<unknown>): string {
  const { path, message } = toFoundIssue(issue)
  return path.length > 0 ? `${path.join('.')}: ${message}` : message
}

function messageOf(issue: BaseIssue<unknown>, key: string | number | undefined): string {
  if (issue.kind === 'validation' || issue.type === 'check') return issue.message
  if (issue.expected === 'never') return `"${key}" is not known here.`
  if (issue.received === 'undefined') return `"${key}" is missing; it must be ${wordsOf(issue.expected)}.`
  return `It must be ${wordsOf(issue.expected)}, not ${issue.received}.`
}

function wordsOf(expected: string | null): string {
  return expected ?? 'something else'
}
