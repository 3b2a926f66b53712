/** What is to be done about the pieces of a body. */
export interface BodyWatch {
  /** A piece came; `false` = nothing more of it is wanted, not even this. */
  onPiece?(piece: Uint8Array): boolean
  /** The client broke off, or what it sent is no body. To end the call is up to this. */
  onBroken(error: unknown): void
  /** The time: milliseconds since the epoch. Default: the clock's. */
  readonly now?: () => number
}

/**
 * A request's body on its way to who reads it, watched: how it fares, and whose fault it is when it doesn't get there.
 *
 * A body that breaks, or of which no more is wanted, neither goes on nor ends: a stream that fails looks to another
 * isolate as if it had ended (workerd 2026-11-17), so that a function would take a part for the whole. And the runtime's
 * error is the same for a client that breaks off and for an upstream that does.
 */
export class WatchedBody {
  /** In place of the body. */
  readonly stream: ReadableStream<Uint8Array>
  isBroken = false
  /** The reader has taken all there is so far, and waits for the client. */
  isWaitingForClient = false
  /** When the client's last piece came: milliseconds since the epoch. */
  lastPieceMs: number
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>
  readonly #watch: BodyWatch
  readonly #now: () => number

  constructor(body: ReadableStream<Uint8Array>, watch: BodyWatch) {
    this.#reader = body.getReader()
    this.#watch = watch
    this.#now = watch.now ?? Date.now
    this.lastPieceMs = this.#now()
    this.stream = new ReadableStream<Uint8Array>(
      { pull: controller => this.#pull(controller), cancel: reason => this.#reader.cancel(reason) },
      { highWaterMark: 0 },
    )
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.isWaitingForClient = true
    let read: { readonly done: boolean; readonly value?: Uint8Array | undefined }
    try {
      read = await this.#reader.read()
    } catch (error) {
      this.isBroken = true
      this.#watch.onBroken(error)
      return forever()
    }
    this.isWaitingForClient = false
    this.lastPieceMs = this.#now()
    if (read.value === undefined) controller.close()
    else if (this.#watch.onPiece?.(read.value) === false) return forever()
    else controller.enqueue(read.value)
  }
}

/** A new one each time: a shared one would keep all that ever waited for it. */
const forever = (): Promise<never> => new Promise(() => {})
