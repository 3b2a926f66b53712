import { styleText } from 'node:util'
import type { Output } from './command.ts'

const COLOURS = { good: 'green', bad: 'red', dim: 'dim' } as const

/** Prints to stdout; in colour only to a terminal, and not when NO_COLOR is set (https://no-color.org). */
export function createOutput(json: boolean, env: NodeJS.ProcessEnv): Output {
  const isColoured = process.stdout.isTTY === true && !env.NO_COLOR && !json
  const paint: Output['paint'] = (colour, text) =>
    isColoured ? styleText(COLOURS[colour], text, { validateStream: false }) : text
  const result: Output['result'] = (value, lines) => {
    process.stdout.write(
      json ? `${JSON.stringify(value, null, 2)}\n` : lines.map(line => `${line}\n`).join(''),
    )
  }
  return {
    json,
    paint,
    result,
    table(value, headings, rows, empty) {
      if (rows.length === 0) return result(value, [empty])
      const [head = '', ...lines] = alignColumns([headings, ...rows])
      result(value, [paint('dim', head), ...lines])
    },
  }
}

/** Rows as lines whose columns start below one another. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length)
  }
  return rows.map(row =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}
