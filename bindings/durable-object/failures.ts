/** Marks the answer to a request as an object's failure: between processes, a rejection would be a bare 500. */
const FAILURE_HEADER = 'skerry-object-failure'

const TYPES: Readonly<Record<string, new (message: string) => Error>> = {
  EvalError,
  RangeError,
  ReferenceError,
  SyntaxError,
  TypeError,
  URIError,
}

/** An object's failure as an answer. */
export function toFailureResponse(error: unknown): Response {
  const { name, message } = error instanceof Error ? error : new Error(String(error))
  const fields = Object.entries(Object.getOwnPropertyDescriptors(Object(error)))
    .map(([key, { value }]) => [key, value] as const)
    .filter(([key, value]) => !HIDDEN.has(key) && PLAIN.has(typeof value))
  const failure = { name, message, fields: Object.fromEntries(fields) }
  return Response.json(failure, { status: 500, headers: { [FAILURE_HEADER]: '1' } })
}

/** The answer itself, unless it stands for a failure. @throws that failure, with its type, message and fields */
export async function throwFailure(response: Response): Promise<Response> {
  if (!response.headers.has(FAILURE_HEADER)) return response
  const { name, message, fields } = (await response.json()) as {
    name: string
    message: string
    fields: Record<string, unknown>
  }
  const error = new (TYPES[name] ?? Error)(message)
  if (error.name !== name) error.name = name
  throw Object.assign(error, fields)
}

/** The failure with the id that the function knows, where workerd put that of the object's host in. */
export function withObjectId(error: unknown, id: string): unknown {
  if (typeof error === 'object' && error !== null && 'durableObjectId' in error) error.durableObjectId = id
  return error
}

const HIDDEN: ReadonlySet<string> = new Set(['stack', 'message', 'name'])
const PLAIN: ReadonlySet<string> = new Set(['string', 'number', 'boolean'])
