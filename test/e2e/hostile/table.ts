import type { Row } from './attack.ts'

const COLUMNS = [
  'a function that …',
  'its caller gets',
  'after',
  'neighbour p50 / p99 / max',
  'wrong',
  '503 / retried',
  'blamed',
  'lost',
  'whole again after',
]

/** A row as text for logs. */
export function toLine(row: Row): string {
  return toCells(row).join(' | ')
}

/** Rows as a Markdown table, its columns aligned. */
export function toTable(rows: readonly Row[]): string {
  const lines = [COLUMNS, ...rows.map(toCells)]
  const widths = COLUMNS.map((_, i) => Math.max(...lines.map(cells => cells[i]?.length ?? 0)))
  const [head, ...body] = lines.map(cells => cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)))
  const rule = widths.map(width => '-'.repeat(width))
  return [head ?? [], rule, ...body].map(cells => `| ${cells.join(' | ')} |`).join('\n')
}

function toCells({ attack, answer, neighbour, strikes, lost, recoveredMs }: Row): string[] {
  const { p50Ms, p99Ms, maxMs, wrong, lost: turnedAway, retried, requests } = neighbour
  const blamed = strikes.map(({ script, kind }) => `${script.split('/')[1]} (${kind})`)
  return [
    attack.notContained ? `${attack.does} *` : attack.does,
    answer.got.replaceAll('|', '\\|').replace(/\s+/g, ' ').slice(0, 60),
    answer.ms > 0 ? toMs(answer.ms) : '–',
    [p50Ms, p99Ms, maxMs].map(toMs).join(' / '),
    `${wrong.length} of ${requests}`,
    `${turnedAway} / ${retried}`,
    blamed.join(', ') || 'nobody',
    String(lost),
    recoveredMs === undefined ? '–' : toMs(recoveredMs),
  ]
}

function toMs(ms: number): string {
  return Number.isFinite(ms) ? `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms` : 'never'
}
