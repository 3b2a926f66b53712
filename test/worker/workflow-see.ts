/** What came of a call, in a line: `= <value>`, or `! <error>`. */
export async function see(call: () => unknown): Promise<string> {
  try {
    return `= ${toText(await call())}`
  } catch (error) {
    return `! ${toLine(error)}`
  }
}

/** An error as one line; what is none, as a value. */
export function toLine(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : `thrown: ${show(error)}`
}

/** Texts as they are, all else as `show` has it. */
export function toText(value: unknown): string {
  return typeof value === 'string' && value.length < 1000 ? value : show(value)
}

/** A value as a text that tells apart what `structuredClone` does. */
export function show(value: unknown, seen: unknown[] = []): string {
  if (typeof value === 'string')
    return value.length < 1000 ? JSON.stringify(value) : `string of ${value.length}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : String(value)
  if (seen.includes(value)) return `again(${seen.indexOf(value)})`
  seen.push(value)
  const inner = (item: unknown) => show(item, seen)
  const kind = Object.prototype.toString.call(value).slice(8, -1)
  if (value instanceof Error) return `Error(${value.name}: ${value.message}, cause ${inner(value.cause)})`
  if (value instanceof Date) return `Date(${value.getTime()})`
  if (value instanceof Map) return `Map(${[...value].map(pair => pair.map(inner).join(' => ')).join(', ')})`
  if (value instanceof Set) return `Set(${[...value].map(inner).join(', ')})`
  if (value instanceof ArrayBuffer) return `ArrayBuffer(${digest(new Uint8Array(value))})`
  if (ArrayBuffer.isView(value))
    return `${kind}(${value.byteLength} at ${value.byteOffset} of ${inner(value.buffer)})`
  if (kind !== 'Object' && kind !== 'Array') return `${kind}(${String(value)})`
  const fields = Object.keys(value).map(key => [key, inner((value as Record<string, unknown>)[key])])
  if (kind === 'Object') return `{${fields.map(field => field.join(': ')).join(', ')}}`
  const isPlain = fields.length === (value as unknown[]).length
  return `[${fields.map(field => (isPlain ? field[1] : field.join(': '))).join(', ')}]`
}

function digest(bytes: Uint8Array): string {
  return bytes.length > 100 ? `${bytes.length} bytes` : bytes.join(' ')
}
