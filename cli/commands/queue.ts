import type { Command, CommandInput } from '../command.ts'
import { ACCOUNT_OPTION, connectTo } from './script.ts'

interface QueueInfo {
  readonly name: string
  readonly id: string
  readonly settings: {
    readonly delivery_delay: number
    readonly delivery_paused: boolean
    readonly message_retention_period: number
  }
  readonly consumers: readonly {
    readonly type: string
    readonly script?: string
    readonly dead_letter_queue?: string
    readonly settings: Readonly<Record<string, unknown>>
  }[]
  readonly producers: readonly string[]
  readonly backlog_count: number
  readonly backlog_bytes: number
  readonly oldest_message_ms: number | null
  readonly under_way: number
  readonly leaving: number
  readonly last_failure: { readonly on: string; readonly outcome: string; readonly error: string } | null
}

interface Peeked {
  readonly id: string
  readonly content_type: string
  readonly body: unknown
  readonly attempts: number
  readonly timestamp_ms: number
  readonly state: string
  readonly source: string | null
}

const list: Command = {
  name: 'queue list',
  options: ACCOUNT_OPTION,
  summary: 'List the queues and what waits in them',
  async run(input) {
    const { client, base } = await connect(input)
    const queues = (await client.skerry('GET', base)) as QueueInfo[]
    const rows = queues.map(queue => [
      queue.name,
      String(queue.backlog_count),
      String(queue.backlog_bytes),
      ageOf(queue),
      describeConsumer(queue) + (queue.settings.delivery_paused ? ' (paused)' : ''),
      queue.producers.join(', '),
    ])
    const headings = ['QUEUE', 'MESSAGES', 'BYTES', 'OLDEST', 'CONSUMER', 'PRODUCERS']
    input.output.table(queues, headings, rows, 'No queues.')
  },
}

const show: Command = {
  name: 'queue show',
  args: ['queue'],
  options: ACCOUNT_OPTION,
  summary: "Show a queue's settings, consumer and backlog",
  async run(input) {
    const { client, path } = await connect(input)
    const queue = (await client.skerry('GET', path)) as QueueInfo
    const { settings, last_failure: failure } = queue
    const [consumer] = queue.consumers
    const lines = [
      `${queue.name} (${queue.id})`,
      `messages    ${queue.backlog_count}, ${queue.backlog_bytes} bytes, oldest ${ageOf(queue)}`,
      `consumer    ${describeConsumer(queue)}${consumer ? ` ${JSON.stringify(consumer.settings)}` : ''}`,
      `under way   ${queue.under_way} batches`,
      `dead        ${consumer?.dead_letter_queue ? `to ${consumer.dead_letter_queue}` : 'deleted'}`,
      `producers   ${queue.producers.join(', ') || 'none'}`,
      `delivery    ${settings.delivery_paused ? 'paused' : 'on'}, delayed by ${settings.delivery_delay} s, kept for ${settings.message_retention_period} s`,
      ...(queue.leaving > 0 ? [`leaving     ${queue.leaving} messages to another queue`] : []),
      ...(failure ? [`last failure  ${failure.on} ${failure.outcome}: ${failure.error}`] : []),
    ]
    input.output.result(queue, lines)
  },
}

const peek: Command = {
  name: 'queue peek',
  args: ['queue'],
  options: {
    ...ACCOUNT_OPTION,
    limit: { type: 'string', help: '<count> how many, 1 to 100; default 10' },
  },
  summary: "Show a queue's oldest messages, without taking them",
  async run(input) {
    const { client, path } = await connect(input)
    const limit = encodeURIComponent(String(input.options.limit ?? 10))
    const messages = (await client.skerry('GET', `${path}/messages?limit=${limit}`)) as Peeked[]
    const rows = messages.map(({ id, timestamp_ms, attempts, state, source, content_type, body }) => [
      id,
      new Date(timestamp_ms).toISOString(),
      String(attempts),
      state,
      source ?? '',
      content_type,
      shorten(typeof body === 'string' ? body : JSON.stringify(body)),
    ])
    const headings = ['ID', 'SENT', 'ATTEMPTS', 'STATE', 'FROM', 'TYPE', 'BODY']
    input.output.table(messages, headings, rows, 'No messages.')
  },
}

const redrive: Command = {
  name: 'queue redrive',
  args: ['queue'],
  options: {
    ...ACCOUNT_OPTION,
    to: { type: 'string', help: '<queue> where to; default: the queues the messages died in' },
    limit: { type: 'string', help: '<count> how many at most, 1 to 10000' },
  },
  summary: 'Send dead letters back, to be tried anew',
  async run(input) {
    const { client, path } = await connect(input)
    const { to, limit } = input.options
    const body = { ...(to !== undefined && { to }), ...(limit !== undefined && { limit: Number(limit) }) }
    const result = (await client.skerry('POST', `${path}/redrive`, body)) as { redriven: number }
    input.output.result(result, [`Sent ${result.redriven} messages back.`])
  },
}

const purge: Command = {
  name: 'queue purge',
  args: ['queue'],
  options: ACCOUNT_OPTION,
  summary: 'Delete all messages of a queue',
  async run(input) {
    const { client, path } = await connect(input)
    const result = (await client.skerry('POST', `${path}/purge`)) as { purged: number }
    input.output.result(result, [`Deleted ${result.purged} messages.`])
  },
}

const connect = (input: CommandInput) => connectTo('queues', input.args.queue, input)

function describeConsumer({ consumers: [consumer] }: QueueInfo): string {
  if (!consumer) return 'none'
  return consumer.type === 'worker' ? (consumer.script ?? '') : 'HTTP pull'
}

function ageOf({ oldest_message_ms: sentMs }: QueueInfo): string {
  if (sentMs === null) return '–'
  const seconds = Math.max(0, Math.round((Date.now() - sentMs) / 1000))
  if (seconds < 120) return `${seconds} s`
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`
}

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ')
  return line.length > 60 ? `${line.slice(0, 59)}…` : line
}

/** `skerry queue …` */
export const queueCommands: readonly Command[] = [list, show, peek, redrive, purge]
