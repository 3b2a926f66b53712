/** How a gateway file names a secret in the place of a text. */
const REFERENCE = /^secret:([A-Za-z_][A-Za-z0-9_]{0,63})$/

/** The name of the secret that a text stands for; `undefined` if it is an ordinary text. */
export function secretNameOf(text: string): string | undefined {
  return REFERENCE.exec(text)?.[1]
}

/** The names of all secrets that a value refers to, at whatever depth. */
export function secretNamesIn(value: unknown): string[] {
  const names = new Set<string>()
  mapTexts(value, text => {
    const name = secretNameOf(text)
    if (name) names.add(name)
    return text
  })
  return [...names]
}

/**
 * The same value with secrets' texts in the place of their references.
 *
 * @throws Error for a reference to a secret that isn't there
 */
export function withSecrets(value: unknown, secrets: Readonly<Record<string, string>>): unknown {
  return mapTexts(value, text => {
    const name = secretNameOf(text)
    if (!name) return text
    const secret = Object.hasOwn(secrets, name) ? secrets[name] : undefined
    if (secret === undefined) throw new Error(`there is no secret "${name}"`)
    return secret
  })
}

function mapTexts(value: unknown, map: (text: string) => string): unknown {
  if (typeof value === 'string') return map(value)
  if (Array.isArray(value)) return value.map(item => mapTexts(item, map))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapTexts(item, map)]))
}
