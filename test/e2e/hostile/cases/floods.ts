import { readForAWhile, sendHugeHeader } from '../attacks.ts'
import type { HostileCase } from '../case.ts'

const handling = (body: string, before = '') => `${before}
export default { async fetch(request, env, ctx) { ${body} } }`

/** Functions that do a lot of something, a little at a time. */
export const FLOOD_CASES: readonly HostileCase[] = [
  {
    name: 'timers',
    does: 'sets 100,000 timers at once: workerd allows 10,000',
    source: handling(`
      let left = 100_000
      const { promise, resolve } = Promise.withResolvers()
      for (let i = left; i > 0; i--) setTimeout(() => { if (--left === 0) resolve() }, i % 100)
      await promise
      return new Response('all rang')`),
    answer: /^500 ERR_FUNCTION_EXCEPTION$/,
    watchMs: 2000,
  },
  {
    name: 'timer-storm',
    does: 'keeps 1,000 timers ringing for two seconds',
    source: handling(`
      const endMs = Date.now() + 2000
      let rang = 0
      const ring = resolve => { rang++; Date.now() < endMs ? setTimeout(ring, 0, resolve) : resolve() }
      await Promise.all(Array.from({ length: 1000 }, () => new Promise(ring)))
      return new Response(rang > 1000 ? 'rang' : rang)`),
    answer: /^200 rang$/,
    answerWithinMs: 5000,
    watchMs: 2200,
  },
  {
    name: 'log-flood',
    does: 'logs 20 MB in a second',
    source: handling(`
      const line = 'x'.repeat(10_000)
      for (let turn = 0; turn < 200; turn++) {
        for (let i = 0; i < 10; i++) console.log(line)
        await scheduler.wait(5)
      }
      return new Response('logged')`),
    answer: /^200 logged$/,
    answerWithinMs: 5000,
    watchMs: 2000,
  },
  {
    name: 'outbound-flood',
    does: 'sends its neighbour 5,000 requests at once',
    source: handling(`
      const url = (await request.text())
      const ends = await Promise.allSettled(Array.from({ length: 5000 }, () => fetch(url).then(async answer => {
        await answer.body?.cancel()
        return answer.status
      })))
      const refused = ends.filter(({ reason }) => /Too many subrequests/.test(reason?.message)).length
      return new Response(refused > 0 ? 'refused' : 'all sent')`),
    attack: ({ arena, get }) => {
      const body = `http://${arena.neighbourName}.${arena.innocent.domain}:${arena.platform.port}/flood`
      return get('/', { method: 'POST', body })
    },
    answer: /^200 (refused|all sent)$/,
    answerWithinMs: 5000,
    watchMs: 2500,
  },
  {
    name: 'self-fetch',
    does: 'calls itself twice in each call',
    source: handling(`
      const answers = await Promise.all([fetch(request.url), fetch(request.url)])
      return new Response(null, { status: Math.max(...answers.map(({ status }) => status)) })`),
    attack: ({ get }) => get('/', { signal: AbortSignal.timeout(2000) }),
    // Each call waits for those it makes, and those for a place.
    answer: /^(503 |508 |broken: no answer$)/,
    answerWithinMs: 2500,
    watchMs: 2200,
  },
  {
    name: 'step-flood',
    does: 'runs 50 instances of a workflow that takes 1,000 steps at once',
    source: handling(
      `
      const { created } = await env.FLOW.createBatch({ count: 50 })
      await scheduler.wait(2000)
      await Promise.all(created.map(instance => instance.terminate()))
      return new Response('terminated')`,
      `
      import { WorkflowEntrypoint } from 'cloudflare:workers'
      export class Flow extends WorkflowEntrypoint {
        async run(event, step) {
          await Promise.all(Array.from({ length: 1000 }, (_, i) => step.do('step ' + i, async () => i)))
        }
      }`,
    ),
    config: { workflows: [{ binding: 'FLOW', name: 'step-flood', class_name: 'Flow' }] },
    answer: /^200 terminated$/,
    answerWithinMs: 5000,
    watchMs: 2500,
  },
  {
    name: 'kv-flood',
    does: 'writes 400 values of 100 kB to KV at once',
    source: handling(`
      const value = 'x'.repeat(100_000)
      const ends = await Promise.allSettled(Array.from({ length: 400 }, (_, i) => env.KV.put('key ' + i, value)))
      return new Response(ends.some(({ status }) => status === 'fulfilled') ? 'stored' : ends[0].reason)`),
    config: { kv_namespaces: [{ binding: 'KV', id: '0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0e' }] },
    answer: /^200 stored$/,
    answerWithinMs: 5000,
    watchMs: 2200,
  },
  {
    name: 'rejections',
    does: 'leaves 100,000 rejected promises behind',
    source: handling(`
      for (let i = 0; i < 100_000; i++) Promise.reject(new Error('nobody cares'))
      return new Response('left')`),
    answer: /^200 left$/,
    answerWithinMs: 5000,
    watchMs: 2000,
  },
  {
    name: 'endless-response',
    does: 'never ends its response',
    source: handling(`
      const chunk = new Uint8Array(16_384)
      return new Response(new ReadableStream({ pull(controller) { controller.enqueue(chunk) } }))`),
    attack: readForAWhile,
    answer: /^200, more than a megabyte$/,
    answerWithinMs: 3000,
    watchMs: 2200,
  },
  {
    name: 'response-header',
    does: 'answers with a header of 1 MB',
    source: handling(`return new Response('big', { headers: { 'x-big': 'x'.repeat(1024 * 1024) } })`),
    answer: /^(200 big|5\d\d |broken)/,
  },
  {
    name: 'request-header',
    does: 'is sent a header of 1 MB',
    source: handling(`return new Response('read ' + request.headers.get('x-big')?.length)`),
    attack: sendHugeHeader,
    answer: /^(4\d\d |broken)/,
  },
]
