/**
 * A file of `runtime/prelude/`: plain JavaScript that runs inside a user's isolate, imported here as text.
 * Bundlers must load the pattern as text: esbuild `loader`, wrangler `rules`, vitest's plugin.
 */
declare module '*.prelude.js' {
  const source: string
  export default source
}
