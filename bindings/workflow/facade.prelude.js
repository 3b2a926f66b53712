// The native client's classes over the stub of WorkflowsEntrypoint, which checks what it is given.
class InstanceImpl {
  #stub
  constructor(id, stub) {
    this.id = id
    this.#stub = stub
  }
  async pause() {
    await this.#stub.pause(this.id)
  }
  async resume() {
    await this.#stub.resume(this.id)
  }
  async terminate(options) {
    await this.#stub.terminate(this.id, options)
  }
  async restart(options) {
    await this.#stub.restart(this.id, options)
  }
  async delete() {
    await this.#stub.deleteInstance(this.id)
  }
  async status() {
    return this.#stub.status(this.id)
  }
  async sendEvent({ type, payload }) {
    await this.#stub.sendEvent(this.id, { type, payload })
  }
  async subscribe(options) {
    return this.#stub.subscribe(this.id, options)
  }
}

class WorkflowImpl {
  #stub
  constructor(stub) {
    this.#stub = stub
  }
  async get(id) {
    return this.#instance(await this.#stub.getInstance(id))
  }
  async create(options) {
    return this.#instance(await this.#stub.create(options))
  }
  async createBatch(options) {
    const result = await this.#stub.createBatch(options)
    const toInstance = found => this.#instance(found)
    if (Array.isArray(options)) return result.map(toInstance)
    return { created: result.created.map(toInstance), errors: result.errors }
  }
  async deleteBatch(instances) {
    return this.#stub.deleteBatch({ instances })
  }
  #instance({ id }) {
    return new InstanceImpl(id, this.#stub)
  }
}

export const create = stub => new WorkflowImpl(stub)
