/**
 * How often a request went through this platform: `CDN-Loop: skerry; hops=3` (RFC 8586). What others wrote there
 * stays, as they count on it. A client may make a number up; all it gets is a request that is refused sooner.
 */
export function hopsOf(header: string | null): number {
  return header === null ? 0 : Number(OWN.exec(header)?.[1] ?? 0)
}

/** The header's value after one hop more. */
export function addHop(header: string | null): string {
  const own = `skerry; hops=${hopsOf(header) + 1}`
  if (header === null || header.trim() === '') return own
  return OWN.test(header) ? header.replace(OWN, own) : `${header}, ${own}`
}

const OWN = /\bskerry; hops=(\d{1,9})\b/
