import type { DataPoint } from '../../bindings/analytics/point.ts'

/** A point as either writes it: 20 doubles, and the blobs that there are by number. */
export interface Point {
  readonly index: string
  readonly doubles: readonly unknown[]
  readonly blobs: Readonly<Record<string, string>>
}

/** What each case wrote: the points between the one that names it and the next such. */
export function byCase(points: readonly Point[]): Record<string, Point[]> {
  const cases: Record<string, Point[]> = {}
  let current: Point[] = []
  for (const point of points) {
    if (point.index === 'case') {
      current = []
      cases[String(point.blobs[1])] = current
    } else if (point.index !== 'end') current.push(point)
  }
  return cases
}

/** JSON has no word for NaN. */
const NO_NUMBER = 'no number'

/** A point as our object or API shows it. */
export function fromOurs({ index, doubles, blobs }: Pick<DataPoint, 'index' | 'doubles' | 'blobs'>): Point {
  const padded = [...doubles, ...Array<number>(20 - doubles.length).fill(0)]
  return {
    index,
    doubles: padded.map(value => value ?? NO_NUMBER),
    blobs: Object.fromEntries(blobs.flatMap((blob, n) => (blob === null ? [] : [[n + 1, blob]]))),
  }
}

/** A point as the runtime sends it to its service. */
export function fromNative(event: Readonly<Record<string, unknown>>): Point {
  const text = (bytes: unknown) => new TextDecoder().decode(new Uint8Array((bytes ?? []) as number[]))
  const numbers = Array.from({ length: 20 }, (_, n) => n + 1)
  return {
    index: text(event.index1),
    doubles: numbers.map(n => (typeof event[`double${n}`] === 'number' ? event[`double${n}`] : NO_NUMBER)),
    blobs: Object.fromEntries(
      numbers.flatMap(n => (event[`blob${n}`] === undefined ? [] : [[n, text(event[`blob${n}`])]])),
    ),
  }
}
