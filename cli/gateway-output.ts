import type { Output } from './command.ts'

/** Something that the platform found in a gateway file. */
export interface ShownIssue {
  readonly line: number
  readonly column: number
  readonly path: string
  readonly message: string
}

/** A difference between what is in force and a file. */
export interface ShownChange {
  readonly what: 'route' | 'policy' | 'settings'
  readonly name: string
  readonly change: 'added' | 'removed' | 'changed' | 'moved'
  readonly fields: readonly {
    readonly path: string
    readonly before: string | null
    readonly after: string | null
  }[]
}

/** Issues as compilers print them: the place, the problem, then the line with a caret below. */
export function describeIssues(
  file: string,
  text: string,
  issues: readonly ShownIssue[],
  { paint }: Output,
  colour: 'bad' | 'dim' = 'bad',
): string[] {
  const source = text.split(/\r?\n/)
  return issues.flatMap(({ line, column, path, message }) => {
    const label = colour === 'dim' ? 'warning: ' : ''
    const place = `${file}:${line}:${column}`
    const { shown, caretAt } = around(source[line - 1] ?? '', column)
    // Tabs stay tabs, so that the caret stands below what it means.
    const indent = shown.slice(0, caretAt).replace(/[^\t]/g, ' ')
    return [
      `${paint(colour, place)} ${label}${path === '' ? '' : `${path}: `}${message}`,
      `  ${shown}`,
      paint(colour, `  ${indent}^`),
    ]
  })
}

/** Of a long line, what is near the column. */
function around(line: string, column: number): { shown: string; caretAt: number } {
  if (line.length <= MAX_LINE_CHARS) return { shown: line, caretAt: column - 1 }
  const start = Math.max(0, Math.min(column - 1 - MAX_LINE_CHARS / 2, line.length - MAX_LINE_CHARS))
  return { shown: line.slice(start, start + MAX_LINE_CHARS), caretAt: column - 1 - start }
}

const MAX_LINE_CHARS = 100

/** Changes with a sign in front, and fields below them. */
export function describeChanges(changes: readonly ShownChange[], { paint }: Output): string[] {
  return changes.flatMap(({ what, name, change, fields }) => {
    const { sign, colour } = SIGNS[change]
    const head = `${sign} ${what === 'settings' ? 'settings' : `${what} ${name}`}`
    const tail = change === 'moved' ? '  moved: among equals, earlier routes come first' : ''
    return [
      colour ? paint(colour, head + tail) : head + tail,
      ...fields.map(({ path, before, after }) => `    ${path}  ${toText(before, after)}`),
    ]
  })
}

/** `2 added, 1 removed`, or that nothing differs. */
export function countChanges(changes: readonly ShownChange[]): string {
  const counts = Object.keys(SIGNS)
    .map(change => [changes.filter(each => each.change === change).length, change] as const)
    .filter(([count]) => count > 0)
  if (counts.length === 0) return 'No differences.'
  return `${counts.map(([count, change]) => `${count} ${change}`).join(', ')}.`
}

const SIGNS = {
  added: { sign: '+', colour: 'good' },
  changed: { sign: '~', colour: undefined },
  moved: { sign: '~', colour: undefined },
  removed: { sign: '-', colour: 'bad' },
} as const

function toText(before: string | null, after: string | null): string {
  if (before === null) return shorten(after)
  if (after === null) return `${shorten(before)} → none`
  return `${shorten(before)} → ${shorten(after)}`
}

function shorten(text: string | null): string {
  return text !== null && text.length > 120 ? `${text.slice(0, 120)}…` : String(text)
}
