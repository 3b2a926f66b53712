/**
 * The first of the encodings among those that the caller likes best (RFC 9110, section 12.5.3); `undefined` = the
 * body as it is.
 *
 * @param accepted the header `Accept-Encoding`; without one the body stays as it is
 */
export function chooseEncoding<Encoding extends string>(
  accepted: string | null,
  encodings: readonly Encoding[],
): Encoding | undefined {
  if (accepted === null) return undefined
  const weights = parseWeights(accepted)
  const weightOf = (name: string) => weights.get(name) ?? weights.get('*') ?? 0
  let best: Encoding | undefined
  for (const encoding of encodings) {
    if (weightOf(encoding) > (best === undefined ? 0 : weightOf(best))) best = encoding
  }
  // Who likes the plain body better gets that.
  return best !== undefined && weightOf(best) >= (weights.get('identity') ?? 0) ? best : undefined
}

function parseWeights(accepted: string): Map<string, number> {
  const weights = new Map<string, number>()
  for (const member of accepted.toLowerCase().split(',').slice(0, MAX_MEMBERS)) {
    const [name = '', ...parameters] = member.split(';').map(part => part.trim())
    const weight = parameters.find(parameter => parameter.startsWith('q='))?.slice(2)
    if (name === '') continue
    const value = weight === undefined ? 1 : Number(weight)
    weights.set(
      name === 'x-gzip' ? 'gzip' : name,
      Number.isFinite(value) ? Math.min(1, Math.max(0, value)) : 0,
    )
  }
  return weights
}

const MAX_MEMBERS = 32
