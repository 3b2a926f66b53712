import type { Machine } from './machine.ts'
import { keepsBudget, type Row } from './row.ts'

/** The report as a table for people. */
export function toText(machine: Machine, rows: readonly Row[]): string {
  const { processor, cores, memoryGb, system, pinned, node, workerd, wrangler, skerry } = machine
  const head = [
    `${processor}, ${cores} cores, ${memoryGb} GB, ${system}${pinned ? '; server and client on a core each' : '; not pinned'}`,
    `skerry ${skerry}, workerd ${workerd}, wrangler ${wrangler}, node ${node}`,
  ]
  const cells = [
    ['what', 'value', 'ratio', 'budget', '', 'spread'],
    ...rows.map(row => [
      row.what,
      `${formatNumber(row.value)} ${row.unit}`,
      row.ratio?.toFixed(2) ?? '',
      formatBudget(row),
      formatVerdict(row),
      row.spread ?? '',
    ]),
  ]
  const widths = (cells[0] ?? []).map((_, column) =>
    Math.max(...cells.map(line => line[column]?.length ?? 0)),
  )
  const lines = cells.map(line =>
    line
      .map((cell, column) =>
        column === 1 || column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  )
  return [...head, '', ...lines].join('\n')
}

/** The report for programs. */
export function toJson(machine: Machine, rows: readonly Row[]): string {
  return JSON.stringify({ machine, rows: rows.map(row => ({ ...row, ok: keepsBudget(row) })) }, null, 2)
}

function formatNumber(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)
}

function formatBudget({ budget, unit }: Row): string {
  if (!budget) return ''
  const suffix = budget.of === 'value' ? ` ${unit}` : ''
  return budget.atLeast === undefined ? `≤ ${budget.atMost}${suffix}` : `≥ ${budget.atLeast}${suffix}`
}

function formatVerdict(row: Row): string {
  const kept = keepsBudget(row)
  return kept === undefined ? '' : kept ? 'ok' : 'MISS'
}
