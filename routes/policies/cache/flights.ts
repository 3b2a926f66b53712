import type { Entry } from './entry.ts'

/** A fetch that others may wait for. */
export class Flight {
  /** The scope and URL that it is for. */
  readonly key: string
  /** Resolves to what was stored, or to nothing when it can't be reused; never rejects. */
  readonly landed: Promise<Entry | undefined>
  /** What it brings was invalidated before it came: it must not be stored. */
  isTainted = false
  readonly #resolve: (entry: Entry | undefined) => void

  constructor(key: string) {
    this.key = key
    const { promise, resolve } = Promise.withResolvers<Entry | undefined>()
    this.landed = promise
    this.#resolve = resolve
  }

  land(entry: Entry | undefined): void {
    this.#resolve(entry)
  }
}

/** What is being fetched on this edge. */
export class Flights {
  readonly #waitedFor = new Map<string, Flight>()
  readonly #byKey = new Map<string, Set<Flight>>()

  /** How many are under way. */
  get size(): number {
    let size = 0
    for (const flights of this.#byKey.values()) size += flights.size
    return size
  }

  /** The one to wait for. @param id key, partition and varying values */
  find(id: string): Flight | undefined {
    const flight = this.#waitedFor.get(id)
    return flight?.isTainted ? undefined : flight
  }

  /** Begins one. @param id as in `find`; without it nobody waits for it */
  start(key: string, id?: string): Flight {
    const flight = new Flight(key)
    const flights = this.#byKey.get(key)
    if (flights) flights.add(flight)
    else this.#byKey.set(key, new Set([flight]))
    if (id !== undefined) this.#waitedFor.set(id, flight)
    return flight
  }

  /** It has brought what those who wait may use. */
  land(flight: Flight, id: string | undefined, entry: Entry | undefined): void {
    flight.land(entry)
    if (id !== undefined && this.#waitedFor.get(id) === flight) this.#waitedFor.delete(id)
  }

  /** Nothing more comes of it. */
  end(flight: Flight): void {
    const flights = this.#byKey.get(flight.key)
    flights?.delete(flight)
    if (flights?.size === 0) this.#byKey.delete(flight.key)
  }

  /** What is being fetched for a key is older than what was written there. */
  taint(key: string): void {
    for (const flight of this.#byKey.get(key) ?? []) flight.isTainted = true
  }
}
