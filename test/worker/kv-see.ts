/** What came of a call; errors thrown at once and later are alike. */
export async function see(call: () => unknown): Promise<unknown> {
  try {
    return await show(await call())
  } catch (error) {
    const { name, message } = error as Error
    return { error: `${name}: ${message}` }
  }
}

async function show(value: unknown): Promise<unknown> {
  if (value === undefined) return '<undefined>'
  if (typeof value === 'string' && value.length > 200)
    return value.length > 2000 ? value : `<${value.length} characters>`
  if (value instanceof ReadableStream) return { stream: await new Response(value).text() }
  if (value instanceof ArrayBuffer)
    return value.byteLength > 40 ? `<${value.byteLength} bytes>` : [...new Uint8Array(value)]
  if (value instanceof Map)
    return { map: await Promise.all([...value].map(async ([key, item]) => [key, await show(item)])) }
  if (Array.isArray(value)) return Promise.all(value.map(show))
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    await Promise.all(Object.entries(value).map(async ([key, item]) => [key, await show(item)])),
  )
}
