// By hand: node test/e2e/hostile/report.ts [name …]
// Runs every case (or those named), prints each row, and writes the table of docs/security.md if all ran.
import { readFileSync, writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { openArena } from './arena.ts'
import { attack, type Row, shortcomingsOf } from './attack.ts'
import { CASES } from './cases.ts'
import { toLine, toTable } from './table.ts'

const PAGE = join(import.meta.dirname, '../../../docs/security.md')
const BEGIN = '<!-- results: node test/e2e/hostile/report.ts -->'
const END = '<!-- end of results -->'

const names = process.argv.slice(2)
const groups = CASES.map(({ title, cases }) => ({
  title,
  cases: cases.filter(({ name }) => names.length === 0 || names.includes(name)),
})).filter(({ cases }) => cases.length > 0)

const arena = await openArena(groups.flatMap(({ cases }) => cases))
const sections: string[] = []
try {
  for (const { title, cases } of groups) {
    console.log(`\n# after ${title}`)
    const rows: Row[] = []
    for (const attacked of cases) {
      const row = await attack(arena, attacked)
      rows.push(row)
      console.log(toLine(row))
      for (const line of shortcomingsOf(row)) {
        console.log(`  ! ${line}`)
        process.exitCode = 1
      }
    }
    sections.push(`### Functions after ${title}\n\n${toTable(rows)}`)
  }
  if (names.length === 0) writeResults(sections)
} finally {
  await arena.close()
}

function writeResults(tables: readonly string[]): void {
  const page = readFileSync(PAGE, 'utf8')
  const [before, rest] = page.split(BEGIN)
  const after = rest?.split(END)[1]
  if (after === undefined) throw new Error(`${PAGE} has no lines "${BEGIN}" and "${END}".`)
  const day = new Date().toISOString().slice(0, 10)
  const how = `Measured on ${day}, ${availableParallelism()} cores, 2 edges, the clients on the same machine.`
  writeFileSync(PAGE, `${before}${BEGIN}\n\n${[how, ...tables].join('\n\n')}\n\n${END}${after}`)
}
