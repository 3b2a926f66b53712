import { deleteHopByHop } from './proxy-headers.ts'
import type { Server } from './servers.ts'

/**
 * An upstream's answer as the client may see it: without headers of the connection, and without its address in
 * redirects. The very same object where nothing must change; its body is never touched.
 *
 * @param isRaw its body is as it came from the network, coded as `Content-Encoding` says
 * @param canMapPaths the upstream's paths are the client's below the path of its URL: there is no rewrite
 */
export function toClientResponse(
  response: Response,
  server: Server,
  canMapPaths: boolean,
  isRaw: boolean,
): Response {
  const { headers } = response
  const location = headers.get('location')
  const mapped = location === null ? undefined : mapLocation(location, server, canMapPaths)
  const cleaned = new Headers(headers)
  if (!deleteHopByHop(cleaned) && mapped === undefined) return response

  // A raw body must not be coded again.
  const passed = isRaw
    ? new Response(response.body, { ...partsOf(response), encodeBody: 'manual' })
    : new Response(response.body, response)
  for (const [name] of headers) if (!cleaned.has(name)) passed.headers.delete(name)
  if (mapped !== undefined) passed.headers.set('location', mapped)
  return passed
}

const partsOf = ({ status, statusText, headers }: Response) => ({ status, statusText, headers })

/**
 * A redirect to the server itself, as a path: the client came by another name, maybe by another scheme. `undefined` =
 * it may stay as it is.
 */
function mapLocation(
  location: string,
  { origin, basePath }: Server,
  canMapPaths: boolean,
): string | undefined {
  const isPath = location.startsWith('/') && !location.startsWith('//')
  if (isPath && (basePath === '' || !canMapPaths)) return undefined
  const url = URL.parse(location, origin)
  if (!url || url.origin !== origin || (!isPath && !/^https?:/i.test(location))) return undefined
  const isBelow = url.pathname === basePath || url.pathname.startsWith(`${basePath}/`)
  const path = canMapPaths && isBelow ? url.pathname.slice(basePath.length) : url.pathname
  // Two slashes would begin the name of a host.
  return `${path.replace(/^\/*/, '/')}${url.search}${url.hash}`
}
