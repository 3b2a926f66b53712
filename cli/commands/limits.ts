import { Failure } from '../../host/failure.ts'
import { createClient } from '../client.ts'
import type { Command } from '../command.ts'

/** A limit as `/api/v1/limits` shows it. */
interface ShownLimit {
  readonly value: number | null
  readonly unit: string
  readonly what: string
  readonly this_host: string | null
  readonly enforced_by: Readonly<Record<string, string | null>>
  readonly set_by?: {
    readonly variable: string
    readonly min: number
    readonly max: number
    readonly default: number
  }
  readonly note?: string
}

/** `skerry limits`: what is bounded, and who sees to it on the host that runs. */
export const limits: Command = {
  name: 'limits',
  args: ['name?'],
  summary: 'List the limits and who enforces each here; with a name, explain that one',
  async run({ args, env, cwd, output }) {
    const answer = await createClient(env, cwd).skerry('GET', '/limits')
    const { host, limits } = answer as { host: string; limits: Record<string, ShownLimit> }
    if (args.name !== undefined) {
      const limit = Object.hasOwn(limits, args.name) ? limits[args.name] : undefined
      if (!limit) throw new Failure(`There is no limit "${args.name}"; \`skerry limits\` lists them.`)
      output.result({ name: args.name, ...limit }, explain(args.name, limit))
      return
    }
    const rows = Object.entries(limits).map(([name, limit]) => [
      name,
      formatValue(limit),
      keeperOf(limit.this_host),
    ])
    output.table(answer, ['LIMIT', 'VALUE', `ENFORCED BY (${host})`], rows, 'No limits.')
  },
}

function explain(name: string, limit: ShownLimit): string[] {
  const { what, note, set_by, enforced_by } = limit
  return [
    `${name}: ${formatValue(limit)}`,
    what,
    ...(note ? [note] : []),
    ...(set_by
      ? [`Set by ${set_by.variable}, from ${set_by.min} to ${set_by.max}; default ${set_by.default}.`]
      : []),
    ...Object.entries(enforced_by).map(([host, by]) => `  ${host.padEnd(10)}  ${keeperOf(by)}`),
  ]
}

function formatValue({ value, unit }: ShownLimit): string {
  if (value === null) return '-'
  return `${value.toLocaleString('en-US')}${unit === 'count' ? '' : ` ${unit}`}`
}

const keeperOf = (by: string | null): string => by ?? 'nobody'
