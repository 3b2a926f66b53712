type Edit = readonly [how: 'set' | 'append' | 'delete' | 'add' | 'default', name: string, value: string]

/** Changes to a message's headers, noted to be applied at once, in order. */
export class HeaderEdits {
  readonly #edits: Edit[] = []

  get isEmpty(): boolean {
    return this.#edits.length === 0
  }

  set(name: string, value: string): void {
    this.#edits.push(['set', name, value])
  }

  append(name: string, value: string): void {
    this.#edits.push(['append', name, value])
  }

  delete(name: string): void {
    this.#edits.push(['delete', name, ''])
  }

  /** Sets a header that isn't there. */
  setIfAbsent(name: string, value: string): void {
    this.#edits.push(['default', name, value])
  }

  /** Adds a member to a list such as `Vary`, unless it is there already. */
  addToList(name: string, member: string): void {
    this.#edits.push(['add', name, member])
  }

  /** The same changes, to go on from. */
  copy(): HeaderEdits {
    const copy = new HeaderEdits()
    copy.#edits.push(...this.#edits)
    return copy
  }

  applyTo(headers: Headers): void {
    for (const [how, name, value] of this.#edits) {
      if (how === 'delete') headers.delete(name)
      else if (how === 'add') addMember(headers, name, value)
      else if (how === 'default') {
        if (!headers.has(name)) headers.set(name, value)
      } else headers[how](name, value)
    }
  }
}

function addMember(headers: Headers, name: string, member: string): void {
  const list = headers.get(name)
  const members = list?.split(',').map(each => each.trim().toLowerCase()) ?? []
  if (!members.includes(member.toLowerCase()) && !members.includes('*')) headers.append(name, member)
}
