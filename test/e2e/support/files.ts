import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** The files of a directory that hold a text: as it is, in base64 or hex, also in UTF-16. Files may come and go. */
export function findInFiles(dir: string, text: string): string[] {
  const bytes = Buffer.from(text)
  const spellings = [text, bytes.toString('base64').slice(0, -4), bytes.toString('hex')]
  const needles = spellings.flatMap(spelling => [Buffer.from(spelling), Buffer.from(spelling, 'utf16le')])
  const files = readdirSync(dir, { recursive: true, encoding: 'utf8' }).flatMap(name => {
    const bytes = readIfThere(join(dir, name))
    return bytes ? [{ name, bytes }] : []
  })
  if (files.length < 4) throw new Error(`${dir} has next to no files: it is not what was meant.`)
  return files.filter(({ bytes }) => needles.some(needle => bytes.includes(needle))).map(({ name }) => name)
}

function readIfThere(path: string): Buffer | undefined {
  try {
    return statSync(path).isFile() ? readFileSync(path) : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
