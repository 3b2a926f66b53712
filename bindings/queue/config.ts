import { SkerryError } from '../../src/core/errors.ts'
import { createHexId } from '../../src/core/ids.ts'
import { timestamp } from '../../src/registry/schema.ts'
import { rows } from './schema.ts'
import { type Consumer, DEFAULT_SETTINGS, type NewConsumer, type QueueSettings } from './settings.ts'

/** A queue's name, settings and consumer, on disk. */
export class QueueConfig {
  readonly #sql: SqlStorage
  #name: string
  #settings: QueueSettings
  #consumer: Consumer | undefined
  #deleted: boolean

  constructor(sql: SqlStorage) {
    this.#sql = sql
    this.#name = this.#read<string>('name') ?? ''
    this.#settings = { ...DEFAULT_SETTINGS, ...this.#read<Partial<QueueSettings>>('settings') }
    this.#consumer = this.#read<Consumer>('consumer')
    this.#deleted = this.#read<boolean>('deleted') ?? false
  }

  /** Which consumers see; empty before it is known. */
  get name(): string {
    return this.#name
  }

  get settings(): QueueSettings {
    return this.#settings
  }

  get consumer(): Consumer | undefined {
    return this.#consumer
  }

  get isDeleted(): boolean {
    return this.#deleted
  }

  /** The Worker that gets messages now. */
  get worker(): Consumer | undefined {
    return this.#settings.delivery_paused || this.#consumer?.type !== 'worker' ? undefined : this.#consumer
  }

  configure(name: string, change: Partial<QueueSettings>): void {
    this.requireExisting()
    this.#name = name
    this.#settings = { ...this.#settings, ...change }
    this.#write('name', name)
    this.#write('settings', this.#settings)
  }

  /** Sets the consumer, or changes the one with that id. @throws ERR_QUEUE_CONSUMER_TAKEN, ERR_QUEUE_CONSUMER_NOT_FOUND */
  setConsumer(queueName: string, consumer: NewConsumer, id?: string): Consumer {
    this.requireExisting()
    const present = this.#consumer
    if (id !== undefined) this.#requireConsumer(id)
    else if (present) {
      const who = present.script ? `the Worker "${present.script}"` : 'HTTP pull'
      throw new SkerryError(
        'ERR_QUEUE_CONSUMER_TAKEN',
        `Queue "${queueName}" has a consumer already, ${who}; a queue has one. Remove it first.`,
      )
    }
    const created_on = id === undefined ? timestamp(Date.now()) : (present?.created_on ?? '')
    const set = { consumer_id: id ?? createHexId(), created_on, ...consumer }
    this.#consumer = set
    this.#write('consumer', set)
    return set
  }

  /** @throws ERR_QUEUE_CONSUMER_NOT_FOUND */
  removeConsumer(id: string): void {
    this.#requireConsumer(id)
    this.#consumer = undefined
    this.#sql.exec("DELETE FROM meta WHERE key = 'consumer'")
  }

  /** From now on the queue does not exist, also when the object starts again. */
  markDeleted(): void {
    this.#deleted = true
    this.#consumer = undefined
    this.#write('deleted', true)
  }

  /** @throws ERR_QUEUE_NOT_FOUND */
  requireExisting(): void {
    if (this.#deleted) throw new SkerryError('ERR_QUEUE_NOT_FOUND', 'The queue was deleted.')
  }

  /** The consumer, if it is whoever asks by HTTP. @throws ERR_QUEUE_NOT_FOUND, ERR_QUEUE_NO_PULL */
  requirePull(): Consumer {
    this.requireExisting()
    if (this.#consumer?.type === 'http_pull') return this.#consumer
    throw new SkerryError('ERR_QUEUE_NO_PULL', 'HTTP pull is not enabled: the queue has no such consumer.')
  }

  #requireConsumer(id: string): void {
    if (this.#consumer?.consumer_id === id) return
    throw new SkerryError('ERR_QUEUE_CONSUMER_NOT_FOUND', `The queue has no consumer "${id}".`)
  }

  #read<T>(key: string): T | undefined {
    const [row] = rows<{ value: string }>(this.#sql.exec('SELECT value FROM meta WHERE key = ?', key))
    return row && (JSON.parse(row.value) as T)
  }

  #write(key: string, value: unknown): void {
    this.#sql.exec('INSERT OR REPLACE INTO meta VALUES (?, ?)', key, JSON.stringify(value))
  }
}
