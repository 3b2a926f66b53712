import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomic } from './data-dir.ts'
import { messageOf } from './failure.ts'

/** What deploying the first example needs. */
export interface HelloInput {
  /** Where this machine reaches the platform, without path. */
  readonly localUrl: string
  readonly adminToken: string
  readonly dataDir: string
  /** The example's main module. */
  readonly modulePath: string
}

/** Deployed now; there (or deleted) since an earlier start; or failed, with the reason. */
export type HelloResult =
  | { state: 'deployed' }
  | { state: 'done-before' }
  | { state: 'failed'; reason: string }

/**
 * Deploys the `hello` example, once in the life of a data directory: a file in it remembers, so that whoever
 * deletes the script has it deleted.
 */
export async function deployHello(input: HelloInput): Promise<HelloResult> {
  const marker = join(input.dataDir, 'hello-deployed')
  if (existsSync(marker)) return { state: 'done-before' }
  try {
    const accountId = await readFirstAccountId(input)
    const form = new FormData()
    form.set('metadata', JSON.stringify({ main_module: 'index.js', compatibility_date: '2026-11-01' }))
    const source = new Blob([readFileSync(input.modulePath)], { type: 'application/javascript+module' })
    form.set('index.js', source, 'index.js')
    await callApi(input, `/accounts/${accountId}/workers/scripts/hello`, { method: 'PUT', body: form })
    writeFileAtomic(marker, `${new Date().toISOString()}\n`)
    return { state: 'deployed' }
  } catch (error) {
    return { state: 'failed', reason: messageOf(error) }
  }
}

async function readFirstAccountId(input: HelloInput): Promise<string> {
  const accounts = (await callApi(input, '/accounts', {})) as {
    id: string
    settings?: { default?: boolean }
  }[]
  const account = accounts.find(({ settings }) => settings?.default) ?? accounts[0]
  if (!account) throw new Error('there is no account')
  return account.id
}

async function callApi(input: HelloInput, path: string, init: RequestInit): Promise<unknown> {
  const response = await fetch(`${input.localUrl}/client/v4${path}`, {
    ...init,
    headers: { authorization: `Bearer ${input.adminToken}` },
    signal: AbortSignal.timeout(10_000),
  })
  const text = await response.text()
  const body = parseEnvelope(text)
  if (body?.success) return body.result
  throw new Error(body?.errors?.[0]?.message ?? `${init.method ?? 'GET'} ${path} answered ${response.status}`)
}

interface Envelope {
  success?: boolean
  result?: unknown
  errors?: { message?: string }[]
}

function parseEnvelope(text: string): Envelope | undefined {
  try {
    return JSON.parse(text) as Envelope
  } catch {
    return undefined
  }
}
