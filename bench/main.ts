import { parseArgs } from 'node:util'
import { describeMachine } from './machine.ts'
import { toJson, toText } from './report.ts'
import { keepsBudget, type Row } from './row.ts'
import { measureColdStart } from './rows/cold-start.ts'
import { measureDeploy, measureRollback } from './rows/deploy.ts'
import { measureEdges } from './rows/edges.ts'
import { measureGateway } from './rows/gateway.ts'
import { measureRouting } from './rows/routing.ts'
import { measureStart } from './rows/start.ts'
import { measureThroughput } from './rows/throughput.ts'

/** What can be measured, in the order of the report. */
const MEASUREMENTS: Readonly<Record<string, () => Promise<Row[]>>> = {
  throughput: measureThroughput,
  edges: measureEdges,
  'cold-start': measureColdStart,
  deploy: measureDeploy,
  rollback: measureRollback,
  start: measureStart,
  gateway: measureGateway,
  routing: measureRouting,
}

const USAGE = `Usage: npm run bench -- [--only <row>]… [--json] [--strict]
Rows: ${Object.keys(MEASUREMENTS).join(', ')}. Results are printed only: nothing is kept, nothing leaves this machine.`

process.exitCode = await run(process.argv.slice(2))

/** Measures and prints. Exit codes: 0 measured, 1 a budget was missed and `--strict` given, 2 usage. */
async function run(args: string[]): Promise<number> {
  const options = readOptions(args)
  if (typeof options === 'number') return options
  const rows: Row[] = []
  for (const name of options.only) {
    const startedAtMs = performance.now()
    rows.push(...((await MEASUREMENTS[name]?.()) ?? []))
    console.error(`${name}: ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`)
  }
  const machine = describeMachine()
  console.log(options.json ? toJson(machine, rows) : toText(machine, rows))
  return options.strict && rows.some(row => keepsBudget(row) === false) ? 1 : 0
}

function readOptions(args: string[]): { only: string[]; json: boolean; strict: boolean } | number {
  try {
    const { values } = parseArgs({
      args,
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'boolean' },
        strict: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    })
    const only = values.only ?? Object.keys(MEASUREMENTS)
    const unknown = only.find(name => !Object.hasOwn(MEASUREMENTS, name))
    if (unknown !== undefined) throw new Error(`There is no row "${unknown}".`)
    if (!values.help) return { only, json: values.json ?? false, strict: values.strict ?? false }
    console.log(USAGE)
    return 0
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n${USAGE}`)
    return 2
  }
}
