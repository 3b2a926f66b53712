/** The directory of the platform's own modules in every isolate; no user module may be in it. */
export const PRELUDE_DIRECTORY = '__skerry__'

/** UTF-8 bytes of a module's name. */
const MAX_NAME_BYTES = 1024

/**
 * Why a module can't have this name; `undefined` if it can.
 *
 * Names are used verbatim by import specifiers, so `./a.js`, `lib/a.js` and bare names are fine. What could
 * stand for a built-in module or for one of ours is not: a user module called `cloudflare:workers` would
 * replace the runtime's own.
 */
export function checkModuleName(name: string): string | undefined {
  if (name === '') return 'The name of a module is empty. Give the part of the form a name.'
  if (new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    return `The name of a module has more than ${MAX_NAME_BYTES} bytes: "${name.slice(0, 40)}…". Shorten it.`
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
  if (/[\u0000-\u001f\u007f\\]/.test(name)) {
    return `The module name ${JSON.stringify(name)} contains a control character or backslash. Rename it.`
  }
  const decoded = decode(name)
  if (decoded.includes(':')) {
    return `The module name "${name}" contains ":", as only built-in modules do. Rename it.`
  }
  const segments = decoded.split(/[/\\]/)
  if (segments[0] === '' && segments.length > 1) {
    return `The module name "${name}" starts with "/". Use a relative name.`
  }
  if (segments.includes('..')) {
    return `The module name "${name}" contains "..". Use a name below the project's directory.`
  }
  const first = segments.find(segment => segment !== '' && segment !== '.')
  if (first === undefined) return `The module name "${name}" names a directory. Name a file.`
  if (first.toLowerCase() === PRELUDE_DIRECTORY) {
    return `The module name "${name}" is in ${PRELUDE_DIRECTORY}/, which is reserved. Use another directory.`
  }
  return undefined
}

/** Module registries that resolve names as URLs decode escapes; a bad escape stays as it is. */
function decode(name: string): string {
  return name.replace(/%[0-9a-f]{2}/gi, code => String.fromCharCode(Number.parseInt(code.slice(1), 16)))
}
