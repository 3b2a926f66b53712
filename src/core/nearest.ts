/**
 * The name that was probably meant: the known one that is the fewest edits away, if that is close enough.
 *
 * An edit puts a character in, takes one out, puts another in its place or swaps two neighbours; one is allowed for
 * three characters. Case counts as no difference. Only names of up to 64 characters are looked for, among the first
 * thousand, so that no list keeps a process busy.
 */
export function nearest(wanted: string, known: Iterable<string>): string | undefined {
  if (wanted.length > MAX_CHARS) return undefined
  const lower = wanted.toLowerCase()
  let left = MAX_NAMES
  let best: string | undefined
  let bound = Math.floor(wanted.length / 3) + 1
  for (const name of known) {
    if (left-- === 0) break
    const edits = countEdits(lower, name.toLowerCase(), bound)
    if (edits >= bound) continue
    bound = edits
    best = name
  }
  return best
}

const MAX_CHARS = 64
const MAX_NAMES = 1000

/** `; did you mean "x"?`, or `.` where nothing is near: the end of a sentence. */
export function didYouMean(wanted: string, known: Iterable<string>): string {
  const meant = nearest(wanted, known)
  return meant === undefined ? '.' : `; did you mean "${meant}"?`
}

/** Optimal string alignment distance; `bound` if it isn't smaller. */
function countEdits(a: string, b: string, bound: number): number {
  if (Math.abs(a.length - b.length) >= bound) return bound
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1]
      let edits = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (isSame ? 0 : 1))
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        edits = Math.min(edits, at(before, j - 2) + 1)
      }
      row.push(edits)
    }
    if (Math.min(...row) >= bound) return bound
    before = last
    last = row
  }
  return Math.min(at(last, b.length), bound)
}

const at = (row: readonly number[], i: number): number => row[i] ?? Number.POSITIVE_INFINITY
