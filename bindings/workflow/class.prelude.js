// A workflow's class whose steps begin a few at a time: a thousand at once would hold up everybody else's.
import { RpcTarget } from 'cloudflare:workers'

const MOST = 4
const PATIENCE_MS = 20

// It may be handed on, as the engine's own.
class Step extends RpcTarget {
  #step
  // All of one run: promises must not be resolved from another's.
  #open = 0
  #line = []
  constructor(step) {
    super()
    this.#step = step
  }
  do(...args) {
    return this.#pace(begun => {
      // The configuration may have functions too, but is none.
      const at = args.findIndex(arg => typeof arg === 'function')
      const call = args[at]
      const enter = ctx => {
        begun()
        return call(ctx)
      }
      return this.#step.do(...(at < 0 ? args : args.with(at, enter)))
    })
  }
  sleep(...args) {
    return this.#wait(() => this.#step.sleep(...args))
  }
  sleepUntil(...args) {
    return this.#wait(() => this.#step.sleepUntil(...args))
  }
  waitForEvent(...args) {
    return this.#wait(() => this.#step.waitForEvent(...args))
  }
  // Nothing tells that a wait has begun.
  #wait(begin) {
    return this.#pace(begun => {
      setTimeout(begun, PATIENCE_MS)
      return begin()
    })
  }
  async #pace(begin) {
    if (this.#open < MOST) this.#open++
    else await new Promise(resolve => this.#line.push(resolve))
    let hasBegun = false
    const begun = () => {
      if (hasBegun) return
      hasBegun = true
      const next = this.#line.shift()
      if (next) next()
      else this.#open--
    }
    try {
      return await begin(begun)
    } finally {
      begun()
    }
  }
}

export function wrapWorkflow(flow) {
  const paced = class extends flow {
    run(event, step) {
      return super.run(event, new Step(step))
    }
  }
  return Object.defineProperty(paced, 'name', { value: flow.name })
}
