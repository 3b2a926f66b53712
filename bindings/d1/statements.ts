/**
 * Splits SQL into its statements as SQLite itself would: at semicolons outside of quotes, comments and bodies of
 * triggers. Text may come in pieces, cut anywhere.
 */
export class StatementReader {
  #text = ''
  /** Up to where `#text` has been looked at. */
  #at = 0
  /** The end of the last thing in the statement that is neither space, comment nor semicolon; 0 = there is none. */
  #end = 0
  #part: 'start' | 'explain' | 'create' | 'plain' | 'trigger' | 'trigger;' | 'trigger;end' = 'start'

  /** The statements that end in this piece. */
  push(piece: string): string[] {
    this.#text += piece
    return this.#read(false)
  }

  /** What is left: a last statement needs no semicolon. */
  finish(): string[] {
    const statements = this.#read(true)
    const last = this.#take(this.#text.length)
    return last ? [...statements, last] : statements
  }

  /** Characters that wait for the end of their statement. */
  get pending(): number {
    return this.#text.length
  }

  #read(isLast: boolean): string[] {
    const statements: string[] = []
    while (this.#at < this.#text.length) {
      const from = this.#at
      const to = endOfToken(this.#text, from, isLast)
      if (to === undefined) break
      this.#at = to
      const first = this.#text[from] as string
      if (first === ';') {
        if (this.#isOver()) {
          const statement = this.#take(to)
          if (statement) statements.push(statement)
        }
      } else if (!isSpace(first) && !isComment(this.#text, from)) {
        this.#end = to
        this.#see(this.#text.slice(from, Math.min(to, from + MAX_WORD_CHARS)).toUpperCase())
      }
    }
    return statements
  }

  /** A semicolon: does it end the statement? That of a trigger ends after `; END ;`, as for sqlite3_complete(). */
  #isOver(): boolean {
    if (this.#part !== 'trigger' && this.#part !== 'trigger;') return true
    this.#part = 'trigger;'
    return false
  }

  #see(token: string): void {
    switch (this.#part) {
      case 'start':
        this.#part = token === 'CREATE' ? 'create' : token === 'EXPLAIN' ? 'explain' : 'plain'
        break
      case 'explain':
        if (token === 'CREATE') this.#part = 'create'
        else if (token !== 'QUERY' && token !== 'PLAN') this.#part = 'plain'
        break
      case 'create':
        if (token === 'TRIGGER') this.#part = 'trigger'
        else if (token !== 'TEMP' && token !== 'TEMPORARY') this.#part = 'plain'
        break
      case 'trigger;':
      case 'trigger;end':
        this.#part = token === 'END' ? 'trigger;end' : 'trigger'
        break
    }
  }

  #take(to: number): string | undefined {
    const statement = this.#end > 0 ? this.#text.slice(0, this.#end) : undefined
    this.#text = this.#text.slice(to)
    this.#at = 0
    this.#end = 0
    this.#part = 'start'
    return statement
  }
}

/** All statements of a text. */
export function splitStatements(sql: string): string[] {
  const reader = new StatementReader()
  return [...reader.push(sql), ...reader.finish()]
}

/**
 * A text without the comments, semicolons and spaces at its end, which the runtime's SQL refuses and D1 doesn't;
 * empty if there is nothing else in it. It may still be several statements.
 */
export function trimSql(sql: string): string {
  if (!sql.includes('--') && !sql.includes('/*')) return sql.replace(/[\s;]+$/, '')
  let end = 0
  for (let at = 0; at < sql.length; ) {
    const to = endOfToken(sql, at, true) ?? sql.length
    const first = sql[at] as string
    if (first !== ';' && !isSpace(first) && !isComment(sql, at)) end = to
    at = to
  }
  return sql.slice(0, end)
}

/** No word that matters is longer. */
const MAX_WORD_CHARS = 16

const QUOTES: Readonly<Record<string, string>> = { "'": "'", '"': '"', '`': '`', '[': ']' }

/** Where the token that begins at `from` ends; `undefined` if that can't be told before there is more text. */
function endOfToken(text: string, from: number, isLast: boolean): number | undefined {
  const first = text[from] as string
  const close = QUOTES[first]
  if (close) return after(text.indexOf(close, from + 1), 1, text, isLast)
  if (first === '-' || first === '/') {
    if (from + 1 === text.length && !isLast) return undefined
    if (text.startsWith('--', from)) return after(text.indexOf('\n', from), 1, text, isLast)
    if (text.startsWith('/*', from)) return after(text.indexOf('*/', from + 2), 2, text, isLast)
    return from + 1
  }
  if (!isWord(text.charCodeAt(from))) return from + 1
  let to = from + 1
  while (to < text.length && isWord(text.charCodeAt(to))) to++
  return to === text.length && !isLast ? undefined : to
}

function after(found: number, length: number, text: string, isLast: boolean): number | undefined {
  if (found >= 0) return found + length
  return isLast ? text.length : undefined
}

function isWord(code: number): boolean {
  return (
    (code >= 97 && code <= 122) ||
    (code >= 65 && code <= 90) ||
    (code >= 48 && code <= 57) ||
    code === 95 ||
    code === 36 ||
    code > 127
  )
}

// SQLite's own: a vertical tab is none.
function isSpace(char: string): boolean {
  return char === ' ' || char === '\n' || char === '\t' || char === '\r' || char === '\f' || char === '\ufeff'
}

function isComment(text: string, at: number): boolean {
  return text.startsWith('--', at) || text.startsWith('/*', at)
}
