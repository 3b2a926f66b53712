import { describe, expect, test } from 'vitest'
import { resolveMemoryLimits, resolveObjectsMemory } from '../../host/memory-limits.ts'
import { HOST_KINDS, type HostKind, LIMIT_GROUPS, type Limit } from '../../src/core/limit.ts'
import { LIMIT_TABLE, LIMITS } from '../../src/core/limits.ts'

const entries: readonly (readonly [string, Limit])[] = Object.entries(LIMIT_TABLE)

test('docs/limits.md says of every limit what the table says; `vitest run --project unit test/docs -u` writes it anew', async () => {
  await expect(toMarkdown()).toMatchFileSnapshot('../../docs/limits.md')
})

describe('LIMIT_TABLE', () => {
  test('is where the numbers of LIMITS come from', () => {
    const numbered = entries
      .filter(([, { value }]) => value !== null)
      .map(([name, { value }]) => [name, value])
    expect(Object.entries(LIMITS)).toEqual(numbered)
    expect(LIMITS.concurrency).toBe(LIMIT_TABLE.concurrency.value)
  })

  test.each(entries)(
    '%s: whoever enforces a limit needs a number, except Cloudflare, workerd and wrangler',
    (_, limit) => {
      const ours = HOST_KINDS.map(kind => limit.enforcedBy[kind]).filter(
        by => by !== null && !['Cloudflare', 'workerd', 'wrangler'].includes(by),
      )
      expect(limit.value === null ? ours : []).toEqual([])
    },
  )

  test.each(entries)(
    '%s: only a supervisor on self-host, only Cloudflare on Cloudflare',
    (_, { enforcedBy }) => {
      expect([enforcedBy.dev, enforcedBy.cloudflare]).not.toContain('supervisor')
      expect([enforcedBy.dev, enforcedBy['self-host']]).not.toContain('Cloudflare')
      expect([enforcedBy.cloudflare, enforcedBy['self-host']]).not.toContain('wrangler')
    },
  )

  test.each(entries.filter(([, { setBy }]) => setBy))(
    '%s: the default keeps the bounds',
    (_, { value, setBy }) => {
      expect(value).toBeGreaterThanOrEqual(setBy?.min ?? 0)
      expect(value).toBeLessThanOrEqual(setBy?.max ?? 0)
    },
  )
})

test('the memory of an edge and of objects is what the host gives them on a large machine', () => {
  const edge = resolveMemoryLimits(24 * 1024 ** 3, 3)
  expect([edge.softBytes, edge.hardBytes]).toEqual([LIMITS.edgeSoftBytes, LIMITS.edgeHardBytes])
  const objects = resolveObjectsMemory(24 * 1024 ** 3, 3)
  expect([objects.softBytes, objects.hardBytes]).toEqual([LIMITS.objectsSoftBytes, LIMITS.objectsHardBytes])
})

function toMarkdown(): string {
  const sections = Object.entries(LIMIT_GROUPS).map(([group, title]) => {
    const rows = entries
      .filter(([, limit]) => limit.group === group)
      .map(([name, limit]) => toRow(name, limit))
    return `## ${title}\n\n${toTable([HEAD, HEAD.map(() => ''), ...rows])}`
  })
  return [INTRODUCTION, ...sections, toUnbounded()].join('\n')
}

const HOST_NAMES: Readonly<Record<HostKind, string>> = {
  'self-host': 'self-host',
  dev: '`wrangler dev`',
  cloudflare: 'Cloudflare',
}

const HEAD = ['limit', 'default', 'unit', 'what', ...HOST_KINDS.map(kind => HOST_NAMES[kind])]

function toRow(name: string, limit: Limit): string[] {
  const { value, unit, what, note, setBy, enforcedBy } = limit
  const bounds = setBy && `Set by \`${setBy.variable}\`, ${format(setBy.min)} to ${format(setBy.max)}.`
  const own = Object.entries(limit.valueOn ?? {}).map(
    ([kind, value]) => `${HOST_NAMES[kind as HostKind]}: ${format(value)}.`,
  )
  return [
    `\`${name}\``,
    value === null ? '–' : format(value),
    unit,
    [what, note, bounds, ...own].filter(Boolean).join(' '),
    ...HOST_KINDS.map(kind => enforcedBy[kind] ?? '**nobody**'),
  ]
}

const format = (value: number): string => value.toLocaleString('en-US')

function toUnbounded(): string {
  const lists = HOST_KINDS.map(kind => {
    const names = entries
      .filter(([, { enforcedBy }]) => enforcedBy[kind] === null)
      .map(([name]) => `\`${name}\``)
    return `- **${HOST_NAMES[kind]}:** ${names.join(', ') || 'nothing'}\n`
  })
  return `## What nobody enforces\n\n${lists.join('')}\n${CONCLUSION}`
}

/** As the formatter writes tables: columns padded, the second row their rule. */
function toTable(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map((row, i) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0, i === 1 ? '-' : ' ')),
  )
  return lines.map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

const INTRODUCTION = `# Limits

Every limit, and who enforces it on which host. The same as JSON at \`GET /api/v1/limits\`, and from \`skerry limits\`. This page is written from the table in \`src/core/limits.ts\`. A limit is only claimed where something enforces it.

- **gateway, egress, binding, control plane, live logs:** Skerry's own code in the Worker, the same on every host.
- **supervisor:** the process that runs the others on self-host, and looks at them from outside.
- **workerd, wrangler, Cloudflare:** what the Worker runs on.

"Per edge": an edge is a process on self-host and under \`wrangler dev\`; on Cloudflare it is one of the isolates of the platform's Worker, so there are many.
`

const CONCLUSION = `Stock workerd has no limits of its own for what a function uses. On self-host the supervisor bounds turns and processes from outside, as the tables say; under \`wrangler dev\` nothing does, so run there only what you trust. On Cloudflare, Cloudflare bounds CPU time and memory of each invocation; turns, strikes and processes are no matter there.
`
