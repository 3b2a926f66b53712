import { Agent, request } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { toUploadForm } from '../support/client.ts'
import type { Answer } from './caller.ts'
import type { Target } from './case.ts'

const answering = (got: string): Answer => ({ got, ms: 0 })

/** Runs its cron, calls it, has it evict itself; gives how that ended. */
export async function runAndEvict({ arena: { hostile }, script, get }: Target): Promise<Answer> {
  const startedAtMs = performance.now()
  const cron = await hostile.v1('POST', `/accounts/${hostile.accountId}/scripts/${script}/cron`, {})
  // It says which isolate it is.
  const { got } = await get('/!')
  let later = got
  for (let tries = 0; tries < 20; tries++) {
    await delay(25)
    later = (await get()).got
  }
  const end = later === got || !later.startsWith('200 0.') ? `not evicted: ${later}` : 'evicted'
  return { got: `${cron.status}; ${got.slice(0, 3)}; ${end}`, ms: performance.now() - startedAtMs }
}

/** Paths of private sockets, and of what the supervisor asks and tells. */
const PRIVATE_PATHS = [
  '/strikes',
  '/processes',
  '/health',
  '/apply',
  '/rpc',
  '/api/v1/processes',
  '/client/v4/accounts',
]
/** Hosts under which processes of the platform know one another. */
const PRIVATE_HOSTS = ['capnp.internal', 'state', 'edge-0', 'fake-host', 'loopback', '127.0.0.1', 'localhost']

/** Asks every private path under every private name, in the function and as a client without a token. */
export async function knockOnPrivateDoors({ arena: { hostile }, get }: Target): Promise<Answer> {
  const { port } = hostile
  const urls = PRIVATE_HOSTS.flatMap(host => PRIVATE_PATHS.map(path => `http://${host}:${port}${path}`))
  const inside = await get('/', { method: 'POST', body: JSON.stringify(urls) })
  const outside: string[] = []
  for (const host of PRIVATE_HOSTS) {
    for (const path of PRIVATE_PATHS) {
      const headers = { 'skerry-client': '203.0.113.9:1' }
      const { status } = await hostile.fetch(`${host}:${port}`, path, { method: 'POST', body: '{}', headers })
      if (status !== 401 && status !== 403 && status !== 404 && status !== 405)
        outside.push(`${host}${path} ${status}`)
    }
  }
  return outside.length > 0 ? answering(`outside: ${outside.join(', ')}`) : inside
}

const CLAIMS = {
  'cf-connecting-ip': '203.0.113.9',
  'x-real-ip': '203.0.113.9',
  'true-client-ip': '203.0.113.9',
  'cf-ray': 'forged',
  'cf-worker': 'forged.example',
  'cf-visitor': 'forged',
  'cf-ipcountry': 'T1',
}

/** Sends its claims to the neighbour, directly and by the function; gives those that arrived. */
export async function claimAddresses({ arena, get }: Target): Promise<Answer> {
  const { innocent, neighbourName } = arena
  const host = `${neighbourName}.${innocent.domain}:${innocent.port}`
  const direct = await innocent.fetch(host, '/seen', { headers: CLAIMS })
  const url = `http://${host}/seen`
  const { got, ms } = await get('/', { method: 'POST', body: JSON.stringify({ url, headers: CLAIMS }) })
  const seen = `${await direct.text()} ${got}`
  const arrived = [...new Set(Object.values(CLAIMS))].filter(value => seen.includes(value))
  if (!got.startsWith('200 [')) return { got, ms }
  return { got: arrived.length > 0 ? `arrived: ${arrived.join(', ')}` : '200 nothing', ms }
}

/**
 * Claims an address in requests that another edge takes over when theirs is lost: those under way, and those sent
 * over kept connections and not read yet. Gives what the function called sees.
 */
export async function claimAddressWhenHandedOver({ arena: { hostile }, get }: Target): Promise<Answer> {
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS })
  const headers = { host: `sees-address.${hostile.domain}:${hostile.port}`, 'skerry-client': '203.0.113.9:1' }
  const ask = (path: string, over: Agent | false) =>
    new Promise<string>(resolve => {
      const outgoing = request({ host: '127.0.0.1', port: hostile.port, path, headers, agent: over })
      outgoing.on('response', async incoming =>
        resolve((await incoming.setEncoding('utf8').toArray()).join('')),
      )
      outgoing.on('error', error => resolve(error.message))
      outgoing.end()
    })
  const askAll = (path: string, over: Agent | false) => Array.from({ length: CLIENTS }, () => ask(path, over))
  await Promise.all(askAll('/', agent))
  const underWay = askAll('/slow', false)
  // Long enough for their heads to be noted.
  await delay(150)
  const looping = get('/')
  await delay(50)
  const seen = new Set(await Promise.all([...underWay, ...askAll('/', agent)]))
  agent.destroy()
  const { got, ms } = await looping
  return { got: `${got}; seen: ${[...seen].join(', ')}`, ms }
}

const CLIENTS = 8

/** Uploads a binding to the neighbour's function, by its name and by its account. */
export async function bindAcrossAccounts({
  arena: { hostile, innocent, neighbourName },
}: Target): Promise<Answer> {
  for (const more of [
    {},
    { environment: 'production' },
    { namespace: innocent.accountId },
    { account_id: innocent.accountId },
  ]) {
    const bindings = [{ type: 'service', name: 'VICTIM', service: neighbourName, ...more }]
    const form = toUploadForm(`export default { fetch: (request, env) => env.VICTIM.fetch(request) }`, {
      bindings,
    })
    const { success } = await hostile.api('PUT', '$A/workers/scripts/other-account', form)
    if (success) return answering(`accepted with ${JSON.stringify(more)}`)
  }
  const path = `/accounts/${innocent.accountId}/workers/scripts/${neighbourName}`
  const deployer = await hostile.createToken('deployer')
  const { status } = await hostile.api('PUT', path, toUploadForm('export default { fetch() {} }'), deployer)
  return answering(status === 403 || status === 404 ? 'refused' : `another account's script: ${status}`)
}

const RESERVED_NAMES = [
  ...[
    '__skerry__/main.js',
    '__skerry__/harness.js',
    './__skerry__/main.js',
    '__SKERRY__/main.js',
    '__skerry__',
  ],
  ...['a/../__skerry__/main.js', '%5f%5fskerry__/main.js', '__skerry__%2fmain.js'],
  ...[
    'cloudflare:workers',
    'cloudflare%3aworkers',
    'node:fs',
    'workerd:unsafe',
    '/__skerry__/main.js',
    '//main.js',
  ],
]

/** Uploads modules under names that stand for others. */
export async function uploadReservedNames({ arena: { hostile } }: Target): Promise<Answer> {
  const accepted: string[] = []
  for (const name of RESERVED_NAMES) {
    const form = toUploadForm({
      'index.js': 'export default { fetch() {} }',
      [name]: 'export const env = {}',
    })
    const { success } = await hostile.api('PUT', '$A/workers/scripts/module-names', form)
    if (success) accepted.push(name)
  }
  return answering(accepted.length > 0 ? `accepted: ${accepted.join(', ')}` : 'all refused')
}
