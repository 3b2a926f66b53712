import { type GenericSchema, getDescription } from 'valibot'

/** An option of a policy, as its page shows it. */
export interface OptionRow {
  /** With dots for tables in tables: `request.set`. */
  readonly name: string
  readonly isNeeded: boolean
  /** As it would be written; empty if there is none. */
  readonly byDefault: string
  readonly values: string
  readonly words: string
}

/** Every option of a schema, those of tables within it behind the table's own. */
export function optionsOf(schema: GenericSchema, prefix = ''): OptionRow[] {
  const { entries, options, type } = schema as unknown as Parts
  if (type === 'intersect' || type === 'union' || type === 'variant') {
    const rows = (options ?? []).flatMap(option => optionsOf(option, prefix))
    return rows.filter(({ name }, i) => rows.findIndex(other => other.name === name) === i)
  }
  return Object.entries(entries ?? {}).flatMap(([key, field]) => {
    const name = prefix + key
    const inner = unwrap(field)
    const byDefault = defaultOf(field)
    const row = {
      name,
      isNeeded: !OPTIONAL.has((field as unknown as Parts).type),
      byDefault: byDefault === undefined ? '' : shown(byDefault, isDuration(inner)),
      values: valuesOf(inner),
      words: getDescription(field) ?? getDescription(inner) ?? '',
    }
    return [row, ...within(inner, name)]
  })
}

/** The options as a table, as the formatter writes it. */
export function toTable(rows: readonly OptionRow[]): string {
  const cells = rows.map(({ name, isNeeded, byDefault, values, words }) => [
    `\`${name}\``,
    isNeeded ? 'needed' : byDefault === '' ? '' : `\`${byDefault}\``,
    values,
    words,
  ])
  const all = [HEAD, HEAD.map(() => ''), ...cells].map(row => row.map(escapeCell))
  const widths = HEAD.map((_, column) => Math.max(...all.map(row => row[column]?.length ?? 0)))
  const lines = all.map((row, i) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0, i === 1 ? '-' : ' ')),
  )
  return lines.map(row => `| ${row.join(' | ')} |\n`).join('')
}

/** Outside of code, stars would begin emphasis; bars end a cell anywhere. */
function escapeCell(cell: string): string {
  const parts = cell.replaceAll('|', '\\|').split('`')
  return parts.map((part, i) => (i % 2 === 0 ? part.replaceAll('*', '\\*') : part)).join('`')
}

const HEAD = ['option', 'default', 'values', 'what']

/** The parts of valibot's schemas that are looked at. */
interface Parts {
  readonly type: string
  readonly kind?: string
  readonly expects?: string
  readonly wrapped?: GenericSchema
  readonly default?: unknown
  readonly entries?: Readonly<Record<string, GenericSchema>>
  readonly options?: readonly GenericSchema[]
  readonly item?: GenericSchema
  readonly value?: GenericSchema
  readonly literal?: unknown
  readonly pipe?: readonly Parts[]
  readonly requirement?: unknown
}

const OPTIONAL = new Set(['optional', 'exact_optional', 'nullish'])
const OBJECTS = new Set(['strict_object', 'object', 'loose_object'])

const parts = (schema: GenericSchema): Parts => schema as unknown as Parts

function unwrap(schema: GenericSchema): GenericSchema {
  const { wrapped } = parts(schema)
  return wrapped ? unwrap(wrapped) : schema
}

function defaultOf(schema: GenericSchema): unknown {
  const { default: given, wrapped } = parts(schema)
  if (given !== undefined) return typeof given === 'function' ? given() : given
  return wrapped && defaultOf(wrapped)
}

/** The options of tables that an option holds. */
function within(schema: GenericSchema, name: string): OptionRow[] {
  const { type, item, value, options } = parts(schema)
  if (OBJECTS.has(type)) return type === 'loose_object' ? [] : optionsOf(schema, `${name}.`)
  if (type === 'array' && item) return within(unwrap(item), `${name}[]`)
  if (type === 'record' && value) return within(unwrap(value), `${name}.<name>`)
  if (type === 'union') return (options ?? []).flatMap(option => within(unwrap(option), name))
  return []
}

function valuesOf(schema: GenericSchema): string {
  const { type, options, item, value, literal } = parts(schema)
  if (isDuration(schema)) return `a duration${boundsOf(schema, seconds => shown(seconds, true))}`
  if (type === 'picklist' || type === 'enum')
    return (options ?? []).map(option => `\`${JSON.stringify(option)}\``).join(', ')
  if (type === 'literal') return `\`${JSON.stringify(literal)}\``
  if (type === 'boolean') return '`true`, `false`'
  if (type === 'number')
    return isWhole(schema) ? `a whole number${boundsOf(schema)}` : `a number${boundsOf(schema)}`
  if (type === 'string') return 'a text'
  if (type === 'array' && item) return `a list of ${many(valuesOf(unwrap(item)))}`
  if (type === 'record' && value) return 'a table'
  if (type === 'union') {
    const all = (options ?? []).map(option => valuesOf(unwrap(option)))
    return [...new Set(all)].join(' or ')
  }
  return OBJECTS.has(type) ? 'a table' : ''
}

/** `a text` of several is `texts`. */
function many(words: string): string {
  if (words.startsWith('`')) return words
  return words
    .split(' or ')
    .map(word =>
      word.replace(/^an? (whole number|number|text|table|duration)/, '$1s').replace(/^a list/, 'lists'),
    )
    .join(' or ')
}

function boundsOf(schema: GenericSchema, show = (value: number) => value.toLocaleString('en-US')): string {
  const bound = (wanted: string) => find(schema, wanted)?.requirement as number | undefined
  const [min, max] = [bound('min_value'), bound('max_value')]
  if (min !== undefined && max !== undefined) return `, ${show(min)} to ${show(max)}`
  if (min !== undefined) return `, ${show(min)} or more`
  return max === undefined ? '' : `, ${show(max)} at most`
}

const isWhole = (schema: GenericSchema): boolean =>
  find(schema, 'integer') !== undefined || find(schema, 'safe_integer') !== undefined

/** A text or a number of seconds, from which a number is made (routes/policies/duration.ts). */
function isDuration(schema: GenericSchema): boolean {
  const { type } = parts(schema)
  return (
    type === 'union' && find(schema, 'transform') !== undefined && find(schema, 'min_value') !== undefined
  )
}

/** The first part of a type in a schema's pipe, and in those within it. */
function find(schema: GenericSchema, type: string): Parts | undefined {
  for (const part of parts(schema).pipe ?? []) {
    if (part.type === type) return part
    const found =
      part === parts(schema) ? undefined : part.pipe && find(part as unknown as GenericSchema, type)
    if (found) return found
  }
  return undefined
}

/** As it would stand in a gateway file. */
function shown(value: unknown, isSeconds: boolean): string {
  if (isSeconds && typeof value === 'number') return durationText(value)
  if (Array.isArray(value)) return `[${value.map(item => shown(item, false)).join(', ')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, item]) => `${name} = ${shown(item, false)}`)
    return members.length === 0 ? '{}' : `{ ${members.join(', ')} }`
  }
  return JSON.stringify(value)
}

function durationText(seconds: number): string {
  const [unit, length] = UNITS.find(
    ([, length]) => seconds >= length && Number.isInteger(seconds / length),
  ) ?? ['ms', 0.001]
  return seconds === 0 ? '0' : `"${Math.round(seconds / length)}${unit}"`
}

const UNITS: readonly (readonly [string, number])[] = [
  ['d', 86_400],
  ['h', 3600],
  ['m', 60],
  ['s', 1],
]
