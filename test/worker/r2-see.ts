/** Runs a case and describes what it returned or threw, as JSON that can be compared between two runtimes. */
export async function seeR2(run: () => unknown): Promise<unknown> {
  try {
    return show(await run())
  } catch (error) {
    return { error: String(error) }
  }
}

/** Fields that are another at each run: what is compared is their form. */
const VOLATILE: Readonly<Record<string, (value: unknown) => unknown>> = {
  version: value => (/^[0-9a-f]{32}$/.test(String(value)) ? '<version>' : value),
  uploaded: value => (value instanceof Date ? '<date>' : value),
  uploadId: value => `<${typeof value}>`,
}

function show(value: unknown, depth = 0): unknown {
  if (value === undefined) return '<undefined>'
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isFinite(value) ? value : `<${value}>`
  if (typeof value === 'function') return '<function>'
  if (depth > 8) return '<deep>'
  if (value instanceof Date) return `<date ${value.getTime()}>`
  if (value instanceof ArrayBuffer) return `<buffer ${hex(new Uint8Array(value))}>`
  if (value instanceof Uint8Array) return `<bytes ${hex(value)}>`
  if (value instanceof Headers) return Object.fromEntries(value)
  if (value instanceof Error) return `<${value}>`
  if (value instanceof Promise) return '<promise>'
  if (value instanceof ReadableStream) return '<stream>'
  if (Array.isArray(value)) return value.map(item => show(item, depth + 1))
  const entries = Object.entries(value as object).map(([name, item]) => {
    return [name, VOLATILE[name]?.(item) ?? show(item, depth + 1)]
  })
  const sorted = entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  return Object.fromEntries(sorted)
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map(byte => byte.toString(16).padStart(2, '0')).join('')
}
