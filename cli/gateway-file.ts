import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, normalize, resolve } from 'node:path'
import { parse } from 'smol-toml'
import { Failure, messageOf, systemCodeOf } from '../host/failure.ts'
import { fileNamesIn } from '../src/core/gateway-files.ts'

/** The gateway file of a command that names none. */
export const DEFAULT_FILE = 'gateway.toml'

/** A gateway file of this machine. */
export interface LocalFile {
  /** As the command named it: for messages. */
  readonly name: string
  readonly text: string
  /** With the files that it names. */
  readonly body: FormData
}

/**
 * Reads a gateway file and the files it names.
 *
 * @throws Failure for a file that can't be read, or that lies outside of the gateway file's directory: who gets hold of
 *   the one must not make us send the others
 */
export function readGatewayFile(cwd: string, name = DEFAULT_FILE): LocalFile {
  const path = resolve(cwd, name)
  const text = readText(path, name)
  const type = formatOf(name) === 'json' ? 'application/json' : 'application/toml'
  const body = new FormData()
  body.set('gateway', new Blob([text], { type }), 'gateway')
  for (const file of namedFiles(text, type)) {
    const isInside = !isAbsolute(file) && !normalize(file).startsWith('..')
    if (!isInside) {
      throw new Failure(`${name} names the file "${file}", which is outside of its directory; move it there.`)
    }
    const content = readText(resolve(dirname(path), file), file)
    body.set(`file:${file}`, new Blob([content], { type: 'text/plain' }), 'file')
  }
  return { name, text, body }
}

/** How a file of this name is written: TOML unless it ends in `.json`. */
export function formatOf(name: string): 'toml' | 'json' {
  return /\.json$/i.test(name) ? 'json' : 'toml'
}

/** What isn't TOML or JSON names no files; the server says where it goes wrong. */
function namedFiles(text: string, type: string): string[] {
  try {
    return fileNamesIn(type === 'application/json' ? JSON.parse(text) : parse(text))
  } catch {
    return []
  }
}

function readText(path: string, name: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const reason = systemCodeOf(error) === 'ENOENT' ? 'there is no such file' : messageOf(error)
    throw new Failure(`Cannot read ${name}: ${reason}.`, 1, { cause: error })
  }
}
