import type { Fail } from './fail.ts'

/** The host part of a `match`. */
export interface HostPattern {
  /** Lower case; of a wildcard without its `*.`; international names in their ASCII form. */
  readonly name: string
  /** Every name below `name`, at any depth, and not `name` itself. */
  readonly isWildcard: boolean
}

/** Parses `example.com` or `*.example.com`. */
export function parseHostPattern(text: string, fail: Fail): HostPattern {
  if (/:\d*$/.test(text)) fail('leave the port out; it is not looked at')
  if (text === '*') fail('leave the host out to match every host of the account')
  const isWildcard = text.startsWith('*.')
  const written = isWildcard ? text.slice(2) : text
  if (written.includes('*')) {
    fail('in the host, * may stand only at the start, before a dot; a name and all below it are two matches')
  }
  const name = toAscii(written)
  if (name === undefined || !HOST.test(name)) fail(`"${written}" is not a host name; a path begins with "/"`)
  if (!name.includes('.') && !isWildcard) {
    fail(`"${written}" has no dot, so it is no host that can be served; a path begins with "/"`)
  }
  return { name, isWildcard }
}

/** How a host pattern is claimed for an account: `example.com` or `*.example.com`. */
export function toClaim({ name, isWildcard }: HostPattern): string {
  return isWildcard ? `*.${name}` : name
}

/** As clients send it: `café.com` is `xn--caf-dma.com`. */
function toAscii(host: string): string | undefined {
  if (/^[a-zA-Z0-9._-]*$/.test(host)) return host.toLowerCase()
  try {
    return /[/?#@:\\%\s[\]]/.test(host) ? undefined : new URL(`http://${host}/`).hostname
  } catch {
    return undefined
  }
}

const HOST =
  /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/
