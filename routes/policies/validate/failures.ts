import type { Exchange } from '../exchange.ts'
import { MAX_ERRORS, TooComplex, type ValueError } from './schema/check.ts'
import { pointerTo } from './schema/pointer.ts'
import { cut } from './schema/words.ts'

/** Which part of a request. */
export type RequestPart = 'body' | 'query' | 'path' | 'header' | 'cookie'

/** One thing that is wrong with a request, as callers read it in `errors`. */
export interface RequestError {
  /** RFC 6901, from the top of the body; of a parameter it begins with its name. */
  readonly pointer: string
  readonly in: RequestPart
  /** To be put after the place: `must be a number, is a text`. */
  readonly detail: string
}

/** What is wrong with a request, collected to be told at once. */
export class Failures {
  readonly #errors = new Map<string, RequestError>()

  get isEmpty(): boolean {
    return this.#errors.size === 0
  }

  /** Notes one; more than MAX_ERRORS aren't kept. */
  add(part: RequestPart, path: readonly (string | number)[], detail: string): void {
    if (this.#errors.size >= MAX_ERRORS) return
    const pointer = cut(pointerTo(...path), MAX_POINTER_CHARS)
    this.#errors.set(`${part} ${pointer} ${detail}`, { pointer, in: part, detail })
  }

  /** Notes what a schema says. @param base the name of the parameter that it is about */
  addAll(part: RequestPart, errors: readonly ValueError[], base: readonly string[] = []): void {
    for (const { path, detail } of errors) this.add(part, [...base, ...path], detail)
  }

  /** Looks at a part; a look that would take too long is given up, and that is a failure too. */
  look(part: RequestPart, check: () => void): void {
    try {
      check()
    } catch (error) {
      if (!(error instanceof TooComplex)) throw error
      this.add(part, [], 'takes too long to check')
    }
  }

  /** 400 with all of them, or `undefined` if there are none. */
  verdict(exchange: Exchange): Response | undefined {
    const errors = [...this.#errors.values()]
    const [first] = errors
    if (!first) {
      exchange.trace?.note('The request is as it must be.')
      return undefined
    }
    exchange.trace?.note('The request is not as it must be.', { errors: errors.slice(0, MAX_NOTED) })
    const rest = errors.length - 1
    const more = rest === 0 ? '' : `, and ${errors.length >= MAX_ERRORS ? 'at least ' : ''}${rest} more`
    const place = [first.in, first.pointer].filter(Boolean).join(' ')
    const detail = `Not as it must be: ${place}: ${first.detail}${more}.`
    return exchange.refuse('ERR_REQUEST_INVALID', detail, {}, { errors })
  }
}

/** Names in a body may be as long as the body. */
const MAX_POINTER_CHARS = 256
const MAX_NOTED = 5
