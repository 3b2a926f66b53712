/** What came of a call: its value, or its error with all that code can tell of it. */
export async function see(call: () => unknown): Promise<unknown> {
  try {
    return await show(await call())
  } catch (error) {
    if (!(error instanceof Error)) return { thrown: await show(error) }
    const fields = Object.entries(Object.getOwnPropertyDescriptors(error))
      .filter(([key]) => key !== 'stack' && key !== 'message')
      .map(([key, { value }]) => [key, /^[0-9a-f]{64}$/.test(value) ? '<id>' : value])
    return { error: `${error.name}: ${error.message}`, fields: Object.fromEntries(fields.sort()) }
  }
}

async function show(value: unknown): Promise<unknown> {
  if (value === undefined) return '<undefined>'
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) return '<id>'
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value)
  if (value instanceof Response) return { status: value.status, text: await value.text() }
  if (value instanceof ReadableStream) return { stream: await new Response(value).text() }
  if (value instanceof Date) return { date: value.getTime() }
  if (value instanceof Error) return { error: String(value) }
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] }
  if (ArrayBuffer.isView(value)) return { [value.constructor.name]: [...new Uint8Array(value.buffer)] }
  if (value instanceof Map) return { map: await Promise.all([...value].map(show)) }
  if (value instanceof Set) return { set: await Promise.all([...value].map(show)) }
  if (Array.isArray(value)) return Promise.all(value.map(show))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    await Promise.all(Object.entries(value).map(async ([key, item]) => [key, await show(item)])),
  )
}
