/** A schema that can't be used, and where in its document. */
export class SchemaFault extends Error {
  /** RFC 6901, from the top of the document. */
  readonly pointer: string

  constructor(pointer: string, message: string) {
    super(message)
    this.pointer = pointer
  }
}
