import { resolveHostOptions } from '../../host/options.ts'
import { createAdminClient, findAccount } from '../client.ts'
import type { Command } from '../command.ts'

/** `skerry up`: runs the platform on this machine. */
export const up: Command = {
  name: 'up',
  summary: 'Run the platform here, until Ctrl-C',
  options: {
    processes: {
      type: 'string',
      help: '<n>  1 = everything in one process; default one for state and an edge per core (SKERRY_PROCESSES)',
    },
  },
  async run({ options: { processes }, env, cwd }) {
    const { runUp } = await import('../../host/up.ts')
    const given = typeof processes === 'string' ? { SKERRY_PROCESSES: processes } : {}
    await runUp(resolveHostOptions({ ...env, ...given }, cwd))
  },
}

/** `skerry dev`: runs the platform under `wrangler dev`, for those who work on it. */
export const dev: Command = {
  name: 'dev',
  summary: 'Run the platform under wrangler dev, reloading on change',
  async run({ env, cwd }) {
    const { runDev } = await import('../../host/dev.ts')
    return runDev(resolveHostOptions(env, cwd, '.skerry-dev'))
  },
}

/** `skerry env`: what wrangler needs to deploy here. */
export const env: Command = {
  name: 'env',
  summary: 'Print the variables that point wrangler at this platform: eval "$(skerry env)"',
  async run({ env, cwd, output }) {
    const client = createAdminClient(env, cwd)
    const account = await findAccount(client, undefined)
    const variables = {
      CLOUDFLARE_API_BASE_URL: `${client.url}/client/v4`,
      CLOUDFLARE_API_TOKEN: client.token,
      CLOUDFLARE_ACCOUNT_ID: account.id,
    }
    const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoteForShell(value)}`)
    output.result(variables, lines)
  },
}

function quoteForShell(text: string): string {
  return /^[\w.:/@%+,=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}
