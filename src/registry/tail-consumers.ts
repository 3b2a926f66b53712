import { SkerryError } from '../core/errors.ts'
import { currentDeployment } from './deployments.ts'
import { listScripts, type ScriptRecord, type ScriptSettings } from './scripts.ts'
import { findVersion } from './versions.ts'

/** The scripts that get a script's traces. */
export function tailConsumersOf({ settings }: Pick<ScriptRecord, 'settings'>): string[] {
  if (!settings.includes('tail_consumers')) return []
  const { tail_consumers: consumers } = JSON.parse(settings) as { tail_consumers?: { service: string }[] }
  return (consumers ?? []).map(({ service }) => service)
}

/** The scripts whose traces a script gets. */
export function tailProducersOf(sql: SqlStorage, consumer: string): string[] {
  return listScripts(sql).flatMap(script => (tailConsumersOf(script).includes(consumer) ? [script.name] : []))
}

/**
 * Checks that the tail consumers of new settings can take traces: other scripts, deployed, that have a tail handler.
 *
 * @throws ERR_TAIL_CONSUMER
 */
export function checkTailConsumers(
  sql: SqlStorage,
  script: string,
  settings: ScriptSettings | undefined,
): void {
  const consumers = settings?.settings?.tail_consumers as readonly { service: string }[] | null | undefined
  for (const { service } of consumers ?? []) {
    if (service === script) throw refusal(service, 'is the script itself. Name another script')
    const [share] = currentDeployment(sql, service)?.versions ?? []
    const version = share && findVersion(sql, service, share.version_id)
    if (!version) throw refusal(service, 'does not exist, or is not deployed. Deploy it first')
    const main = version.manifest.exports.find(({ name }) => name === 'default')
    if (!main?.handlers.includes('tail')) {
      throw refusal(
        service,
        'has no tail() handler. Export one, such as `export default { tail(events) {} }`',
      )
    }
  }
}

function refusal(service: string, problem: string): SkerryError {
  return new SkerryError('ERR_TAIL_CONSUMER', `The tail consumer "${service}" ${problem}.`)
}
