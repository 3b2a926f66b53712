import type { HostileCase } from '../case.ts'

const handling = (body: string, before = '') => `${before}
export default { async fetch(request, env, ctx) { ${body} } }`
const ENDS = /^500 ERR_FUNCTION_EXIT$/

/** Functions that try to end what they run in. */
export const EXIT_CASES: readonly HostileCase[] = [
  {
    name: 'process-exit',
    does: 'calls `process.exit(1)`, `abort` and `kill`',
    source: handling(`
      for (const end of [() => process.abort(), () => process.kill(process.pid, 9), () => process.kill(process.ppid, 9)])
        try { end() } catch {}
      process.exit(1)`),
    answer: ENDS,
  },
  {
    name: 'abort-isolate',
    does: 'calls `abortIsolate` of `cloudflare:workers`',
    source: handling(`abortIsolate('mine')`, `import { abortIsolate } from 'cloudflare:workers'`),
    answer: ENDS,
  },
  {
    name: 'recursion',
    does: 'calls itself without end, in JavaScript and in what serialises for it',
    source: handling(`
      const deep = []
      for (let at = deep, i = 0; i < 2e5; i++) at = at[0] = []
      const chain = Array(20_000).fill().reduce(inner => new Proxy(inner, {}), {})
      const tries = [
        () => { const again = () => again(); again() },
        () => JSON.stringify(deep), () => structuredClone(deep), () => deep.flat(Infinity), () => String(deep),
        () => JSON.parse('['.repeat(2e5)), () => chain.x,
        () => new RegExp('('.repeat(1e5)), () => '('.repeat(2e5).replace(/(\\(|\\))+/, ''),
      ]
      for (const attempt of tries) try { attempt() } catch (error) { if (!/RangeError|SyntaxError/.test(error.name)) throw error }
      return Response.json(tries.length)`),
    answer: /^200 9$/,
    watchMs: 2000,
  },
  {
    name: 'stream-chain',
    does: 'chains a thousand streams',
    source: handling(`
      let body = new Response('end').body
      for (let i = 0; i < 1000; i++) body = body.pipeThrough(new TransformStream())
      return new Response(body)`),
    answer: /^(200 end|500 |200, then broken)/,
    answerWithinMs: 3000,
  },
  {
    name: 'bad-answers',
    does: 'answers with what is no response, and with one that can be sent once only',
    source: handling(
      `
      const { pathname } = new URL(request.url)
      if (pathname === '/number') return 42
      if (pathname === '/thenable') return { then(resolve) { resolve({ then() { throw new Error('no') } }) } }
      if (pathname === '/reused') return reused
      const answers = await Promise.all(['/number', '/thenable'].map(path => fetch(new URL(path, request.url))))
      return new Response(answers.map(({ status }) => status).join(' '))`,
      `const reused = { status: 200, body: 'no', headers: new Map() }`,
    ),
    answer: /^200 500 500$/,
  },
]
