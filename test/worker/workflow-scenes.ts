import type { WorkflowEvent, WorkflowStepContext, WorkflowStepEvent } from 'cloudflare:workers'
import { NonRetryableError } from 'cloudflare:workflows'
import { until, untilEnd } from './workflow-cases.ts'
import { see, show, toLine } from './workflow-see.ts'

/** Programs of workflows, and what is done to their instances meanwhile. */

/** `step`, as a program that breaks its types sees it. */
export type Step = Readonly<
  Record<'do' | 'sleep' | 'sleepUntil' | 'waitForEvent', (...args: unknown[]) => Promise<unknown>>
>

/** What a program is given. */
export interface Stage {
  readonly step: Step
  readonly event: Readonly<WorkflowEvent<{ value?: unknown }>>
  /** The instance of the class. */
  readonly self: { readonly constructor: { readonly name: string } }
  /** Writes down, in order, what happened: it stays when the instance begins again. */
  note(line: unknown): Promise<void>
  /** Waits until the other side says something. */
  hear(line: string): Promise<void>
}

/** What the other side has of it. */
export interface Audience {
  readonly instance: WorkflowInstance
  readonly flow: Workflow
  notes(): Promise<readonly unknown[]>
  say(line: string): Promise<void>
}

/** One workflow. */
export interface Scene {
  run(stage: Stage): unknown
  /** Before the instance's end is awaited. */
  act?(audience: Audience): unknown
}

/** Waits until an instance has a status. */
export function untilStatus(instance: WorkflowInstance, ...statuses: string[]): Promise<void> {
  return until(async () => statuses.includes((await instance.status()).status))
}

/** Waits until an instance that waits for long is in memory no more. */
export async function untilAtRest(instance: WorkflowInstance): Promise<void> {
  await untilStatus(instance, 'waiting')
  await scheduler.wait(3500)
}

/** Waits until a program has noted something. */
export function untilNoted({ notes }: Audience, line: unknown): Promise<void> {
  return until(async () => (await notes()).includes(line))
}

class OwnError extends Error {
  override name = 'OwnError'
}
class UnnamedError extends Error {}

/** What can be thrown. */
const THROWN: Readonly<Record<string, () => unknown>> = {
  'an Error': () => new Error('boo'),
  'an Error without message': () => new Error(),
  'a TypeError': () => new TypeError('boo'),
  'an Error with another name': () => Object.assign(new Error('boo'), { name: 'Other' }),
  'an Error of a class': () => new OwnError('boo'),
  'an Error of a class without name': () => new UnnamedError('boo'),
  'an Error with a cause': () => new Error('boo', { cause: new TypeError('why') }),
  'an Error with fields': () => Object.assign(new Error('boo'), { code: 5 }),
  'an Error with colons': () => new Error('a: b: c'),
  'an AggregateError': () => new AggregateError([new Error('a')], 'boo'),
  'a DOMException': () => new DOMException('boo', 'AbortError'),
  'a NonRetryableError': () => new NonRetryableError('boo'),
  'a NonRetryableError with a name': () => new NonRetryableError('boo', 'Mine'),
  'a NonRetryableError without message': () => new NonRetryableError(''),
  'an Error named NonRetryableError': () => Object.assign(new Error('boo'), { name: 'NonRetryableError' }),
  'a string': () => 'boo',
  'a number': () => 5,
  undefined: () => undefined,
  null: () => null,
  'an object': () => ({ a: 1 }),
  'an object with a message': () => ({ name: 'N', message: 'm' }),
}

const ONCE = { retries: { limit: 0, delay: 0 } }
const twice = (delay: unknown = 1, backoff = 'constant') => ({ retries: { limit: 2, delay, backoff } })
const fail = (thrown: unknown) => {
  throw thrown
}

function scenes(make: (name: string, thrown: () => unknown) => [string, Scene | Scene['run']]) {
  return Object.fromEntries(Object.entries(THROWN).map(([name, thrown]) => make(name, thrown)))
}

/** Calls of `step`, each seen on its own. */
function calls(...args: readonly (readonly [string, (step: Step) => unknown])[]) {
  return Object.fromEntries(
    args.map(([name, call]): [string, Scene['run']] => [name, ({ step }) => see(() => call(step))]),
  )
}

const BAD_NAMES: Readonly<Record<string, unknown>> = {
  'of 257 characters': 'x'.repeat(257),
  'with a newline': 'a\nb',
  'with a NUL': 'a\0',
  'of a number': 5,
  'of an object': {},
  'of undefined': undefined,
  'of null': null,
}
const GOOD_NAMES: Readonly<Record<string, unknown>> = {
  'of 256 characters': 'x'.repeat(256),
  'with a DEL': 'a\x7f',
  'with é and an emoji': 'é\u{1f600}',
  'that is empty': '',
  'with a slash and colons': 'do:1:a/b',
}

const CONFIGS: Readonly<Record<string, unknown>> = {
  undefined: undefined,
  '{}': {},
  null: null,
  'a number': 5,
  'a string': 'x',
  'an array': [],
  'an unknown field': { other: 1 },
  'no retries': { retries: undefined },
  'null as retries': { retries: null },
  'empty retries': { retries: {} },
  'a limit alone': { retries: { limit: 1 } },
  'a delay alone': { retries: { delay: 1 } },
  'a limit of -1': { retries: { limit: -1, delay: 1 } },
  'a limit of a half': { retries: { limit: 0.5, delay: 1 } },
  'a limit in words': { retries: { limit: '1', delay: 1 } },
  'an infinite limit': { retries: { limit: Number.POSITIVE_INFINITY, delay: 1 } },
  'a limit of 10,001': { retries: { limit: 10_001, delay: 1 } },
  'a delay of -1': { retries: { limit: 1, delay: -1 } },
  'NaN as delay': { retries: { limit: 1, delay: Number.NaN } },
  'a delay in words': { retries: { limit: 1, delay: '1 second' } },
  'a delay in bad words': { retries: { limit: 1, delay: 'soon' } },
  'an unknown backoff': { retries: { limit: 1, delay: 1, backoff: 'x' } },
  'every backoff': { retries: { limit: 1, delay: 1, backoff: 'linear' } },
  'an unknown field in retries': { retries: { limit: 1, delay: 1, other: 1 } },
  'a timeout': { timeout: 1000 },
  'a timeout in words': { timeout: '1 minute' },
  'a timeout of 0': { timeout: 0 },
  'a timeout of -1': { timeout: -1 },
  'a timeout in bad words': { timeout: 'soon' },
  'null as timeout': { timeout: null },
  'a sensitive output': { sensitive: 'output' },
  'something sensitive': { sensitive: 'input' },
  'true as sensitive': { sensitive: true },
}

const DURATIONS: Readonly<Record<string, unknown>> = {
  '0': 0,
  '1': 1,
  'a half': 0.5,
  '-1': -1,
  '"0 seconds"': '0 seconds',
  '"20 milliseconds"': '20 milliseconds',
  '"0.02 seconds"': '0.02 seconds',
  '"0.0001 minute"': '0.0001 minute',
  '" 0.01  seconds "': ' 0.01  seconds ',
  '"0.01seconds"': '0.01seconds',
  '"1 second"': '1 second',
  '"0.01 SECONDS"': '0.01 SECONDS',
  '"-1 seconds"': '-1 seconds',
  '"20"': '20',
  '"20 ms"': '20 ms',
  '"1 fortnight"': '1 fortnight',
  '"1 second 1 second"': '1 second 1 second',
  '""': '',
  null: null,
  'an object': {},
  'a Date': new Date(5),
}

const DELAYS: Readonly<Record<string, (input: { ctx: unknown; error: Error }) => unknown>> = {
  'a number': () => 1,
  '0': () => 0,
  words: () => '5 milliseconds',
  'a Promise': async () => 1,
  undefined: () => undefined,
  NaN: () => Number.NaN,
  '-1': () => -1,
  'bad words': () => 'soon',
  'an object': () => ({}),
  infinity: () => Number.POSITIVE_INFINITY,
  'an error': () => fail(new RangeError('the delay')),
}

/** Runs that nothing is done to. */
const RUNS: Readonly<Record<string, Scene | Scene['run']>> = {
  'run() that returns a value': () => ({ a: [1] }),
  'run() that returns nothing': () => {},
  'run() that returns null': () => null,
  ...scenes((name, thrown) => [`run() that throws ${name}`, () => fail(thrown())]),
  ...scenes((name, thrown) => [
    `a step that throws ${name}`,
    async ({ step, note }) => {
      await step.do('fails', twice(), async () => {
        await note('try')
        throw thrown()
      })
    },
  ]),
  ...scenes((name, thrown) => [
    `catching a step that throws ${name}`,
    async ({ step }) => {
      try {
        await step.do('fails', ONCE, async () => fail(thrown()))
      } catch (error) {
        const { cause, code } = error as { cause?: unknown; code?: unknown }
        return [toLine(error), error instanceof Error, cause, code]
      }
      return 'it did not throw'
    },
  ]),
  ...scenes((name, thrown) => [
    `a step that throws ${name} first`,
    ({ step, note }) =>
      step.do('fails', twice(), async ({ attempt }: { attempt: number }) => {
        await note(`attempt ${attempt}`)
        if (attempt === 1) throw thrown()
        return attempt
      }),
  ]),

  'the keys of a step': ({ step }) => [Object.keys(step), typeof step.do, typeof step.sleep],
  'the names of classes': ({ step, event }) => [step.constructor.name, event.constructor.name],
  'an unknown method of a step': ({ step }) => see(() => (step as unknown as { undo(): unknown }).undo()),
  'the name of the class': ({ self }) => [self.constructor.name, Object.keys(self)],
  'what the class is given': ({ event }) => [Object.keys(event), event.timestamp instanceof Date],
  'a change of the event': ({ event }) =>
    see(() => {
      Object.assign(event, { payload: 1 })
      return event.payload
    }),

  'a step': ({ step }) => step.do('a', async () => 1),
  'a step that is not async': ({ step }) => step.do('a', () => 1),
  'a step that returns nothing': async ({ step }) => step.do('a', async () => {}),
  'a step that returns a Promise in it': async ({ step }) =>
    step.do('a', async () => Promise.resolve(Promise.resolve(1))),
  "a step's ctx": async ({ step }) => step.do('a', async (ctx: unknown) => ctx),
  "a step's ctx, with {} as config": async ({ step }) => step.do('a', {}, async (ctx: unknown) => ctx),
  "a step's ctx, with retries": async ({ step }) =>
    step.do('a', { retries: { limit: 1, delay: '2 seconds' } }, async (ctx: unknown) => ctx),
  "a step's ctx, with everything": async ({ step }) => {
    const config = {
      retries: { limit: 1, delay: 5, backoff: 'linear' },
      timeout: '1 minute',
      sensitive: 'output',
    }
    return step.do('a', config, async (ctx: unknown) => ctx)
  },
  "a step's ctx, with a function as delay": async ({ step }) =>
    step.do('a', { retries: { limit: 1, delay: () => 1 } }, async (ctx: unknown) => ctx),
  "a step's further arguments": async ({ step }) => step.do('a', async (...args: unknown[]) => args.length),
  'a name twice': async ({ step }) => {
    const ctx = async (ctx: unknown) => (ctx as WorkflowStepContext).step
    return [await step.do('a', ctx), await step.do('a', ctx), await step.do('b', ctx)]
  },
  'a name in several types': async ({ step }) => {
    await step.sleep('a', 1)
    return step.do('a', async ({ step }: WorkflowStepContext) => step)
  },
  'steps in a loop': async ({ step }) => {
    let sum = 0
    for (let i = 0; i < 20; i++) {
      sum += (await step.do('add', async ({ step }: WorkflowStepContext) => step.count)) as number
    }
    return sum
  },
  'a step in a step': async ({ step, note }) =>
    step.do('outer', twice(), async () => {
      await note('outer')
      return [await step.do('inner', async () => 'inner'), 'outer']
    }),
  'a sleep in a step': ({ step }) =>
    step.do('outer', async () => {
      await step.sleep('inner', 5)
      return 'slept'
    }),
  'steps at once': ({ step }) => Promise.all([1, 2, 3, 4, 5].map(i => step.do(`step ${i}`, async () => i))),
  'steps that wait for one another': ({ step }) => {
    let begun = 0
    const meet = async () => {
      begun++
      await until(async () => begun === 8)
      return begun
    }
    return Promise.all(Array.from({ length: 8 }, (_, i) => step.do(`step ${i}`, meet)))
  },
  'a hundred steps at once': async ({ step }) => {
    const all = Array.from({ length: 100 }, (_, i) => step.do(`step ${i}`, async () => i))
    return (await Promise.all(all)).map(Number).reduce((sum, n) => sum + n)
  },
  'steps of a name at once': ({ step }) =>
    Promise.all([1, 2, 3].map(() => step.do('step', async ({ step }: WorkflowStepContext) => step.count))),
  'steps and sleeps at once': ({ step }) =>
    Promise.all([step.do('a', async () => 1), step.sleep('b', 5), step.do('c', async () => 3)]),
  'steps at once of which one fails': async ({ step }) => {
    const settled = await Promise.allSettled([
      step.do('a', async () => 1),
      step.do('b', ONCE, async () => fail(new TypeError('b fails'))),
      step.do('c', async () => 3),
    ])
    return settled.map(one => (one.status === 'fulfilled' ? one.value : toLine(one.reason)))
  },
  'a race of steps': async ({ step }) =>
    Promise.race([
      step.do('slow', async () => {
        await scheduler.wait(5000)
        return 'slow'
      }),
      step.do('fast', async () => 'fast'),
    ]),
  'a race of a step and a sleep': async ({ step }) =>
    Promise.race([
      step.do('slow', async () => {
        await scheduler.wait(5000)
        return 'slow'
      }),
      step.sleep('short', 20).then(() => 'slept'),
    ]),
  'a step that nobody awaits': async ({ step, note }) => {
    void step.do('left', async () => note('left')).catch(() => {})
    await step.do('awaited', async () => {
      await scheduler.wait(300)
      return note('awaited')
    })
  },
  'what a step writes outside itself': async ({ step }) => {
    let outside = 0
    await step.do('a', async () => {
      outside = 5
    })
    return outside
  },
  'a result is a copy': async ({ step }) => {
    const own = { a: 1 }
    const got = await step.do('a', async () => own)
    return [got === own, got]
  },
  'an instance of a class as result': async ({ step }) => {
    const got = await step.do('a', async () => new OwnError('boo'))
    return [got instanceof Error, got instanceof OwnError, (got as Error).name, (got as Error).message]
  },
  'a step after one that failed': async ({ step }) => {
    const first = await see(() => step.do('a', ONCE, async () => fail(new Error('boo'))))
    return [first, await step.do('b', async () => 'b')]
  },
  'a step with a rollback': ({ step }) =>
    see(() => step.do('a', async () => 1, { rollback: async () => {} })),
  'a step with a config and a rollback': ({ step }) =>
    see(() => step.do('a', {}, async () => 1, { rollback: async () => {} })),
  'rollbacks of a run that fails': async ({ step, note }) => {
    await step.do('a', async () => 1, { rollback: async () => note('a is undone') })
    throw new Error('boo')
  },

  'attempts: exhausted': async ({ step, note }) => {
    const end = await see(() =>
      step.do('a', twice(), async ({ attempt }: { attempt: number }) => {
        await note(attempt)
        throw new Error(`attempt ${attempt}`)
      }),
    )
    return end
  },
  'attempts: uncaught': async ({ step, note }) => {
    await step.do('a', twice(), async ({ attempt }: { attempt: number }) => {
      await note(attempt)
      throw new Error(`attempt ${attempt}`)
    })
  },
  'attempts: with a limit of 0': async ({ step, note }) =>
    see(() =>
      step.do('a', ONCE, async () => {
        await note('try')
        throw new Error('boo')
      }),
    ),
  'attempts: NonRetryableError at the second': async ({ step, note }) =>
    see(() =>
      step.do('a', twice(), async ({ attempt }: { attempt: number }) => {
        await note(attempt)
        throw attempt === 2 ? new NonRetryableError('enough') : new Error('again')
      }),
    ),
  ...Object.fromEntries(
    (
      [
        ['constant', [40, 40]],
        ['linear', [40, 80]],
        ['exponential', [40, 80]],
        [undefined, [40, 80]],
      ] as const
    ).map(([backoff, expected]): [string, Scene['run']] => [
      `delays: ${backoff}`,
      async ({ step }) => {
        const starts: number[] = []
        const config = { retries: { limit: 2, delay: 40, ...(backoff && { backoff }) } }
        await see(() =>
          step.do('a', config, async () => {
            starts.push(Date.now())
            throw new Error('boo')
          }),
        )
        // Clocks of two processes may be a moment apart.
        return expected.map((ms, i) => Number(starts[i + 1]) - Number(starts[i]) >= ms - 3)
      },
    ]),
  ),
  ...Object.fromEntries(
    Object.entries(DELAYS).map(([name, delay]): [string, Scene['run']] => [
      `delays: a function that returns ${name}`,
      async ({ step, note }) =>
        see(() =>
          step.do('a', { retries: { limit: 1, delay } }, async ({ attempt }: { attempt: number }) => {
            await note(attempt)
            throw new Error(`attempt ${attempt}`)
          }),
        ),
    ]),
  ),
  'delays: what a function gets': async ({ step, note }) =>
    see(() =>
      step.do(
        'a',
        {
          retries: {
            limit: 2,
            delay: async (input: { ctx: unknown; error: Error }) => {
              await note(show({ ...input, error: toLine(input.error) }))
              return 1
            },
          },
        },
        async () => fail(new TypeError('boo')),
      ),
    ),
  'a step that times out': async ({ step, note }) =>
    see(() =>
      step.do('a', { ...ONCE, timeout: 500 }, async () => {
        await note('try')
        await scheduler.wait(10_000)
      }),
    ),
  'a step that never ends': ({ step }) =>
    see(() => step.do('a', { ...ONCE, timeout: '30 milliseconds' }, () => new Promise(() => {}))),
  'a step that times out, uncaught': async ({ step }) => {
    await step.do('a', { ...ONCE, timeout: 30 }, () => scheduler.wait(10_000))
  },
  'a step that times out first': async ({ step }) =>
    step.do('a', { ...twice(), timeout: 4000 }, async ({ attempt }: { attempt: number }) => {
      if (attempt === 1) await scheduler.wait(10_000)
      return attempt
    }),

  ...calls(
    ['do() without argument', step => step.do()],
    ['do() without callback', step => step.do('a')],
    ['do() with a config and no callback', step => step.do('a', {})],
    ['do() with a string as callback', step => step.do('a', {}, 'x')],
    ['do() with null as callback', step => step.do('a', null)],
    ['do() with a callback alone', step => step.do(async () => 1)],
    ['sleep() without argument', step => step.sleep()],
    ['sleepUntil() without argument', step => step.sleepUntil()],
    ['waitForEvent() without argument', step => step.waitForEvent()],
    ...Object.entries({ ...BAD_NAMES, ...GOOD_NAMES }).flatMap(([name, value]) => [
      [`do() with a name ${name}`, (step: Step) => step.do(value, async () => 1)] as const,
      [`sleep() with a name ${name}`, (step: Step) => step.sleep(value, 1)] as const,
      [
        `waitForEvent() with a name ${name}`,
        (step: Step) => step.waitForEvent(value, { type: 'a', timeout: 20 }),
      ] as const,
    ]),
    ...Object.entries(BAD_NAMES).map(
      ([name, value]) =>
        [
          `sleepUntil() with a name ${name}`,
          (step: Step) => step.sleepUntil(value, Date.now() + 4000),
        ] as const,
    ),
    ...Object.entries(CONFIGS).map(
      ([name, config]) =>
        [`do() with a config: ${name}`, (step: Step) => step.do('a', config, async () => 1)] as const,
    ),
    ...Object.entries(DURATIONS).map(
      ([name, duration]) => [`sleep() for ${name}`, (step: Step) => step.sleep('a', duration)] as const,
    ),
    ['sleepUntil() a moment hence', step => step.sleepUntil('a', new Date(Date.now() + 4000))],
    ['sleepUntil() a number', step => step.sleepUntil('a', Date.now() + 4000)],
    ['sleepUntil() a text', step => step.sleepUntil('a', new Date(Date.now() + 4000).toISOString())],
    ['sleepUntil() a second ago', step => step.sleepUntil('a', new Date(Date.now() - 1000))],
    ['sleepUntil() 1970', step => step.sleepUntil('a', 0)],
    ['waitForEvent() that times out', step => step.waitForEvent('a', { type: 'x', timeout: 20 })],
    [
      'waitForEvent() with a timeout in words',
      step => step.waitForEvent('a', { type: 'x', timeout: '20 milliseconds' }),
    ],
    ['waitForEvent() with a timeout of 0', step => step.waitForEvent('a', { type: 'x', timeout: 0 })],
    ['waitForEvent() with a timeout of -1', step => step.waitForEvent('a', { type: 'x', timeout: -1 })],
    [
      'waitForEvent() with a timeout in bad words',
      step => step.waitForEvent('a', { type: 'x', timeout: 'soon' }),
    ],
    ['waitForEvent() with null as options', step => step.waitForEvent('a', null)],
    ['waitForEvent() without type', step => step.waitForEvent('a', { timeout: 20 })],
    ['waitForEvent() with an empty type', step => step.waitForEvent('a', { type: '', timeout: 20 })],
    ['waitForEvent() with a number as type', step => step.waitForEvent('a', { type: 5, timeout: 20 })],
    [
      'waitForEvent() with a type of 100 characters',
      step => step.waitForEvent('a', { type: 'x'.repeat(100), timeout: 20 }),
    ],
    [
      'waitForEvent() with a type of 101 characters',
      step => step.waitForEvent('a', { type: 'x'.repeat(101), timeout: 20 }),
    ],
    ['waitForEvent() with a type with a dot', step => step.waitForEvent('a', { type: 'a.b', timeout: 20 })],
    ['waitForEvent() with a type with a space', step => step.waitForEvent('a', { type: 'a b', timeout: 20 })],
    [
      'waitForEvent() with an unknown option',
      step => step.waitForEvent('a', { type: 'x', timeout: 20, other: 1 }),
    ],
  ),
  'a bad name, uncaught': async ({ step }) => {
    await step.do('x'.repeat(257), async () => 1)
  },
  'a bad config, uncaught': async ({ step }) => {
    await step.do('a', { timeout: 'soon' }, async () => 1)
  },
  'no callback, uncaught': async ({ step }) => {
    await step.do('a')
  },
  'a bad duration, uncaught': async ({ step }) => {
    await step.sleep('a', 'soon')
  },
  'a past time, uncaught': async ({ step }) => {
    await step.sleepUntil('a', new Date(0))
  },
  'a wait that times out, uncaught': async ({ step }) => {
    await step.waitForEvent('a', { type: 'x', timeout: 20 })
  },
  'a sleep takes as long as it says': async ({ step }) => {
    const startMs = Date.now()
    await step.sleep('a', 60)
    return Date.now() - startMs >= 57
  },
  'a result that is no value, uncaught': async ({ step, note }) => {
    await step.do('a', twice(), async () => {
      await note('try')
      return () => {}
    })
  },
  'a result that is no value, caught': async ({ step, note }) => {
    const seen = await see(() => step.do('a', twice(), async () => Symbol('s')))
    await note(seen)
    return step.do('b', async () => 'b')
  },
}

const send = (type: string, payload?: unknown) => ({ type, payload })
const wait = (step: Step, type = 'go', name = 'wait') =>
  step.waitForEvent(name, { type, timeout: '1 hour' }) as Promise<WorkflowStepEvent<unknown>>
const payload = async (event: Promise<unknown>) => ((await event) as { payload: unknown }).payload

/** Three steps, of which the second waits; each notes when it runs. */
async function threeSteps({ step, note }: Stage): Promise<unknown> {
  const first = await step.do('first', async () => {
    await note('first')
    return 1
  })
  const event = await wait(step)
  const second = await step.do('second', async () => {
    await note('second')
    return event.payload
  })
  return [first, second]
}

/** Runs that something is done to. */
const SHARED: Readonly<Record<string, Scene>> = {
  'an event while it is waited for': {
    run: async ({ step }) => {
      const event = await wait(step)
      return [
        Object.keys(event),
        event.type,
        event.payload,
        event.timestamp instanceof Date,
        Math.abs(event.timestamp.getTime() - Date.now()) < 60_000,
      ]
    },
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      return instance.sendEvent(send('go', { a: 1 }))
    },
  },
  'an event before it is waited for': {
    run: async ({ step, note, hear }) => {
      await step.do('long', async () => {
        await note('began')
        await hear('go on')
      })
      return payload(wait(step))
    },
    act: async audience => {
      await untilNoted(audience, 'began')
      await audience.instance.sendEvent(send('go', 'early'))
      await audience.say('go on')
    },
  },
  'an event at once': {
    run: ({ step }) => payload(wait(step)),
    act: ({ instance }) => instance.sendEvent(send('go', 'at once')),
  },
  'an event without payload': {
    run: ({ step }) => payload(wait(step)),
    act: ({ instance }) => instance.sendEvent({ type: 'go' } as { type: string; payload: unknown }),
  },
  'an event of another type': {
    run: async ({ step }) => payload(wait(step, 'b')),
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      await instance.sendEvent(send('a', 'wrong'))
      await instance.sendEvent(send('b', 'right'))
    },
  },
  'events in their order': {
    run: async ({ step }) => [
      await payload(wait(step)),
      await payload(wait(step)),
      await payload(wait(step)),
    ],
    act: async ({ instance }) => {
      for (const i of [1, 2, 3]) await instance.sendEvent(send('go', i))
    },
  },
  'events of two types, the second first': {
    run: async ({ step }) => [await payload(wait(step, 'b')), await payload(wait(step, 'a'))],
    act: async ({ instance }) => {
      await instance.sendEvent(send('a', 1))
      await instance.sendEvent(send('b', 2))
    },
  },
  'two waits of a type at once': {
    run: ({ step }) => Promise.all([payload(wait(step, 'go', 'x')), payload(wait(step, 'go', 'y'))]),
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      await instance.sendEvent(send('go', 1))
      await scheduler.wait(100)
      await instance.sendEvent(send('go', 2))
    },
  },
  'a wait and a sleep in a race': {
    run: ({ step }) =>
      Promise.race([
        step.waitForEvent('wait', { type: 'go', timeout: '9 seconds' }),
        step.sleep('short', 30).then(() => 'slept'),
      ]),
  },
  'a long wait and a sleep in a race': {
    run: ({ step }) => Promise.race([payload(wait(step)), step.sleep('short', 30).then(() => 'slept')]),
    act: async ({ instance }) => {
      const endMs = Date.now() + 3000
      await until(async () => (await instance.status()).status === 'complete' || Date.now() > endMs)
      const { status } = await instance.status()
      if (status !== 'complete') await instance.terminate()
      return status
    },
  },
  'a wait and a step at once': {
    run: ({ step }) => Promise.all([payload(wait(step)), step.do('a', async () => 1)]),
    act: ({ instance }) => instance.sendEvent(send('go', 5)),
  },
  'an event after the wait for it timed out': {
    run: async ({ step, note }) => {
      const first = await see(() => step.waitForEvent('first', { type: 'go', timeout: 20 }))
      await step.do('note', () => note('timed out'))
      return [first, await payload(wait(step))]
    },
    act: async audience => {
      await untilNoted(audience, 'timed out')
      await audience.instance.sendEvent(send('go', 'late'))
    },
  },
  'an event of a type that nobody waits for': {
    run: async ({ step }) => {
      await step.sleep('short', 50)
      return 'done'
    },
    act: ({ instance }) => instance.sendEvent(send('other', 1)),
  },
  'what runs again after a long wait': {
    run: async stage => {
      await stage.note('run()')
      return threeSteps(stage)
    },
    act: async ({ instance }) => {
      await untilAtRest(instance)
      await instance.sendEvent(send('go', 'done'))
    },
  },
  'a caught error after a long wait': {
    run: async ({ step, note }) => {
      const seen = await see(() => step.do('fails', ONCE, async () => fail(new OwnError('boo'))))
      await note(seen)
      await wait(step)
    },
    act: async ({ instance }) => {
      await untilAtRest(instance)
      await instance.sendEvent(send('go'))
    },
  },
  'what is caught when a long wait begins': {
    run: async ({ step, note }) => {
      try {
        await wait(step)
      } catch (error) {
        await note(toLine(error))
        throw error
      }
    },
    act: async ({ instance }) => {
      await untilAtRest(instance)
      await instance.sendEvent(send('go'))
    },
  },
  'several long waits': {
    run: async ({ step }) => {
      const got: unknown[] = []
      for (let i = 0; i < 5; i++) got.push(await payload(wait(step)))
      return got
    },
    act: async ({ instance }) => {
      for (let i = 0; i < 5; i++) {
        await untilStatus(instance, 'waiting')
        await instance.sendEvent(send('go', i))
      }
    },
  },

  'the status of one that runs': {
    run: ({ step, note, hear }) =>
      step.do('long', async () => {
        await note('began')
        await hear('go on')
        return 'done'
      }),
    act: async audience => {
      await untilNoted(audience, 'began')
      const status = await audience.instance.status()
      await audience.say('go on')
      return [status.status, status.output]
    },
  },
  'pause while a step runs': {
    run: async ({ step, note, hear }) => {
      await step.do('long', async () => {
        await note('began')
        await hear('go on')
        await note('ended')
      })
      await step.do('next', async () => note('next'))
    },
    act: async audience => {
      const { instance, notes, say } = audience
      await untilNoted(audience, 'began')
      await instance.pause()
      const { status } = await instance.status()
      await say('go on')
      await untilStatus(instance, 'paused')
      await scheduler.wait(100)
      const noted = await notes()
      await instance.resume()
      return [status, noted]
    },
  },
  'pause and resume while a step runs': {
    run: async ({ step, note, hear }) => {
      await step.do('long', async () => {
        await note('began')
        await hear('go on')
      })
      return step.do('next', async () => 'next')
    },
    act: async audience => {
      await untilNoted(audience, 'began')
      await audience.instance.pause()
      await audience.instance.resume()
      const { status } = await audience.instance.status()
      await audience.say('go on')
      return status
    },
  },
  'pause while one of two steps runs': {
    run: async ({ step, note, hear }) => {
      const one = step.do('one', async () => {
        await note('one')
        await hear('go on')
      })
      const other = step.do('two', async () => note('two')).then(() => step.do('next', () => note('next')))
      await Promise.all([one, other])
    },
    act: async audience => {
      const { instance, notes, say } = audience
      await untilNoted(audience, 'next')
      await instance.pause()
      const { status } = await instance.status()
      await say('go on')
      await untilStatus(instance, 'paused')
      const noted = [...(await notes())].toSorted()
      await instance.resume()
      return [status, noted]
    },
  },
  'pause while it sleeps': {
    run: async ({ step, note }) => {
      await step.sleep('short', 2000)
      await step.do('next', async () => note('next'))
    },
    act: async ({ instance, notes }) => {
      await untilStatus(instance, 'waiting')
      await instance.pause()
      const { status } = await instance.status()
      await scheduler.wait(2200)
      const noted = await notes()
      await instance.resume()
      return [status, noted]
    },
  },
  'pause while it waits, and an event': {
    run: threeSteps,
    act: async ({ instance, notes }) => {
      await untilStatus(instance, 'waiting')
      await instance.pause()
      await instance.sendEvent(send('go', 'while paused'))
      await scheduler.wait(200)
      const seen = [(await instance.status()).status, (await notes()).includes('second')]
      await instance.resume()
      return seen
    },
  },
  'pause before the end of run()': {
    run: async ({ note, hear }) => {
      await note('began')
      await hear('go on')
      return 'done'
    },
    act: async audience => {
      const { instance, say } = audience
      await untilNoted(audience, 'began')
      await instance.pause()
      const { status } = await instance.status()
      await say('go on')
      await scheduler.wait(200)
      const after = (await instance.status()).status
      await instance.resume()
      return [status, after]
    },
  },
  'pause between retries': {
    run: ({ step, note, hear }) =>
      step.do('a', twice(20), async ({ attempt }: { attempt: number }) => {
        await note(attempt)
        await hear('go on')
        if (attempt < 3) throw new Error('boo')
        return attempt
      }),
    act: async audience => {
      const { instance, say } = audience
      await untilNoted(audience, 1)
      await instance.pause()
      await say('go on')
      await untilStatus(instance, 'paused')
      await scheduler.wait(200)
      const noted = await audience.notes()
      await instance.resume()
      return noted
    },
  },
  'terminate while a step runs': {
    run: async ({ step, note, hear }) => {
      await step.do('long', async () => {
        await note('began')
        await hear('go on')
      })
      await note('after it')
    },
    act: async audience => {
      await untilNoted(audience, 'began')
      await audience.instance.terminate()
      await audience.say('go on')
      await scheduler.wait(200)
    },
  },
  'what is caught when it is terminated while it sleeps': {
    run: async ({ step, note }) => {
      try {
        await step.sleep('long', 5000)
      } catch (error) {
        await note(toLine(error))
      }
    },
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      await instance.terminate()
      await scheduler.wait(200)
    },
  },
  'delete while a step runs, and one anew': {
    run: async ({ step, note, hear, event }) => {
      const isAgain = event.payload.value === 'again'
      await step.do('long', async () => {
        await note(isAgain ? 'again' : 'began')
        if (!isAgain) await hear('go on')
      })
      return isAgain
    },
    act: async audience => {
      const { instance, flow, say } = audience
      await untilNoted(audience, 'began')
      await instance.delete()
      const seen = await see(() => instance.status())
      const params = { scene: 'delete while a step runs, and one anew', value: 'again' }
      const again = await flow.create({ id: instance.id, params })
      const { output } = await untilEnd(again)
      await say('go on')
      await scheduler.wait(100)
      return [seen, output, (await again.status()).output]
    },
  },

  'restart of one that is complete': {
    run: threeSteps,
    act: async ({ instance }) => {
      await instance.sendEvent(send('go', 'once'))
      await untilEnd(instance)
      await instance.restart()
      await untilStatus(instance, 'waiting')
      const { status, output } = await instance.status()
      await instance.sendEvent(send('go', 'twice'))
      return [status, output]
    },
  },
  'restart of one that failed': {
    run: async ({ step, note }) => {
      await step.do('a', async () => note('a'))
      throw new Error('boo')
    },
    act: async ({ instance, notes }) => {
      await untilEnd(instance)
      await instance.restart()
      await until(async () => (await notes()).length === 2)
    },
  },
  'the timestamp of one that begins again': {
    run: ({ event }) => event.payload.value && event.timestamp.getTime(),
    act: async ({ flow }) => {
      const scene = 'the timestamp of one that begins again'
      const instance = await flow.create({ params: { scene, value: 'so that it tells' } })
      const { output } = await untilEnd(instance)
      await scheduler.wait(20)
      await instance.restart()
      return typeof output === 'number' && (await untilEnd(instance)).output === output
    },
  },
  'restart while a step runs': {
    run: async ({ step, note, hear }) => {
      await step.do('long', async () => {
        await note('began')
        await hear('go on')
      })
      return step.do('next', async () => {
        await note('next')
        return 'done'
      })
    },
    act: async audience => {
      await untilNoted(audience, 'began')
      await audience.instance.restart()
      await until(async () => (await audience.notes()).length === 2)
      await audience.say('go on')
    },
  },
  'restart drops events': {
    run: async ({ step, note, hear }) => {
      await note('began')
      await step.do('long', () => hear('go on'))
      return payload(wait(step))
    },
    act: async audience => {
      const { instance, say, notes } = audience
      await untilNoted(audience, 'began')
      await instance.sendEvent(send('go', 'before'))
      await instance.restart()
      await until(async () => (await notes()).length === 2)
      await instance.sendEvent(send('go', 'after'))
      await say('go on')
    },
  },
  'restart of one that is paused': {
    run: threeSteps,
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      await instance.pause()
      await instance.restart()
      await untilStatus(instance, 'waiting')
      await instance.sendEvent(send('go', 'done'))
    },
  },
  ...Object.fromEntries(
    (
      [
        ['its first', { name: 'first' }],
        ['its second', { name: 'second' }],
        ['a wait', { name: 'wait', type: 'waitForEvent' }],
        ['a type that the name has not', { name: 'second', type: 'sleep' }],
      ] as const
    ).map(([name, from]): [string, Scene] => [
      `restart from ${name}`,
      {
        run: threeSteps,
        act: async ({ instance }) => {
          await untilStatus(instance, 'waiting')
          await instance.sendEvent(send('go', 'once'))
          await untilEnd(instance)
          const seen = await see(() => instance.restart({ from }))
          await untilStatus(instance, 'waiting', 'complete')
          if ((await instance.status()).status === 'waiting') await instance.sendEvent(send('go', 'twice'))
          return seen
        },
      },
    ]),
  ),
  'restart from the second of a name': {
    run: async ({ step, note }) => {
      const count = async ({ step }: WorkflowStepContext) => {
        await note(step.count)
        return step.count
      }
      return [await step.do('a', count), await step.do('a', count), await step.do('a', count)]
    },
    act: async ({ instance }) => {
      await untilEnd(instance)
      await instance.restart({ from: { name: 'a', count: 2 } })
    },
  },
  'terminate with rollbacks': {
    run: async ({ step, note }) => {
      await step.do('a', async () => 1, { rollback: async () => note('undone') })
      await wait(step)
    },
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting', 'errored')
      await instance.terminate({ rollback: true })
    },
  },
  'its class calls the workflow': {
    run: ({ event }) => event.payload?.value,
    act: async ({ flow, instance }) =>
      show(
        await untilEnd(await flow.create({ params: { scene: 'run() that returns a value', value: 1 } })),
      ) && instance.id.length > 0,
  },
}

/** All of them. */
export const SCENES: Readonly<Record<string, Scene>> = {
  ...Object.fromEntries(
    Object.entries(RUNS).map(([name, run]) => [name, typeof run === 'function' ? { run } : run]),
  ),
  ...SHARED,
}
