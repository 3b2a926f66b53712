import type { Context } from 'hono'
import { SkerryError } from '../../../src/core/errors.ts'
import { LIMITS } from '../../../src/core/limits.ts'
import type { SourceFormat } from '../../gateway/source.ts'
import type { Api } from '../context.ts'

/** A gateway file as it was sent, with the files it names. */
export interface GatewaySource {
  readonly text: string
  readonly format: SourceFormat
  /** Texts by the names that stand in `file:…`. */
  readonly files: ReadonlyMap<string, string>
}

/**
 * Reads a gateway file from a request's body: its text as `application/toml` or `application/json`, or, with the files
 * it names, `multipart/form-data` of a part `gateway` of such a type and parts `file:<name>`.
 *
 * @throws ERR_API_BODY, ERR_GATEWAY_FILE_TOO_LARGE
 */
export async function readGatewaySource(c: Context<Api>): Promise<GatewaySource> {
  const type = typeOf(c.req.header('content-type'))
  const announced = Number(c.req.header('content-length') ?? 0)
  if (announced > LIMITS.gatewayFileBytes + FORM_BYTES) {
    // Who is still sending would see the connection break, not the answer.
    await c.req.raw.body?.pipeTo(new WritableStream())
    checkSize(announced)
  }
  const isForm = type === 'multipart/form-data'
  const source = isForm
    ? await readForm(await readFormData(c))
    : { text: await c.req.text(), format: formatOf(type), files: new Map<string, string>() }
  checkSize([source.text, ...source.files.values()].reduce((sum, text) => sum + bytesOf(text), 0))
  return source
}

async function readFormData(c: Context<Api>): Promise<FormData> {
  try {
    return await c.req.raw.formData()
  } catch (cause) {
    throw new SkerryError('ERR_API_BODY', "The request's body is not multipart/form-data.", { cause })
  }
}

async function readForm(form: FormData): Promise<GatewaySource> {
  const part = form.get('gateway')
  if (!(part instanceof Blob)) {
    throw new SkerryError(
      'ERR_API_BODY',
      'The form must have a file "gateway", of type application/toml or application/json.',
    )
  }
  const files = new Map<string, string>()
  for (const [name, value] of form) {
    if (name.startsWith('file:'))
      files.set(name.slice(5), typeof value === 'string' ? value : await value.text())
  }
  return { text: await part.text(), format: formatOf(typeOf(part.type)), files }
}

function formatOf(type: string): SourceFormat {
  if (type === 'application/toml' || type === 'text/toml') return 'toml'
  if (type === 'application/json') return 'json'
  throw new SkerryError(
    'ERR_API_BODY',
    `The content type is "${type}"; send the gateway file as application/toml or application/json.`,
  )
}

function checkSize(bytes: number): void {
  if (bytes <= LIMITS.gatewayFileBytes) return
  throw new SkerryError(
    'ERR_GATEWAY_FILE_TOO_LARGE',
    `The gateway file and the files it names have ${bytes} bytes, of at most ${LIMITS.gatewayFileBytes}.`,
  )
}

/** What a form takes beside its texts. */
const FORM_BYTES = 100_000

const typeOf = (header = ''): string => (header.split(';')[0] ?? '').trim().toLowerCase()
const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength
