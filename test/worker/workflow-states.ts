import { until } from './workflow-cases.ts'
import { type Audience, type Scene, untilAtRest, untilNoted, untilStatus } from './workflow-scenes.ts'
import { see } from './workflow-see.ts'

/** What each call does to an instance in each state. */

/** How an instance comes into a state, and stays there for some seconds. */
const STATES: Readonly<Record<string, Scene & { act(audience: Audience): unknown }>> = {
  complete: {
    run: () => 'done',
    act: ({ instance }) => untilStatus(instance, 'complete'),
  },
  errored: {
    run: () => {
      throw new TypeError('boo')
    },
    act: ({ instance }) => untilStatus(instance, 'errored'),
  },
  terminated: {
    run: ({ step }) => step.sleep('long', 50_000),
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      await instance.terminate()
    },
  },
  'paused while it sleeps': {
    run: ({ step }) => step.sleep('long', 50_000),
    act: async ({ instance }) => {
      await untilStatus(instance, 'waiting')
      await instance.pause()
    },
  },
  sleeping: {
    run: ({ step }) => step.sleep('long', 50_000),
    act: ({ instance }) => untilStatus(instance, 'waiting'),
  },
  'waiting for long': {
    run: ({ step }) => step.waitForEvent('long', { type: 'x' }),
    act: ({ instance }) => untilStatus(instance, 'waiting'),
  },
  'at rest': {
    run: ({ step }) => step.waitForEvent('long', { type: 'x' }),
    act: ({ instance }) => untilAtRest(instance),
  },
  'paused at rest': {
    run: ({ step }) => step.waitForEvent('long', { type: 'x' }),
    act: async ({ instance }) => {
      await untilAtRest(instance)
      await instance.pause()
    },
  },
  running: {
    run: ({ step, note }) =>
      step.do('long', async () => {
        await note('began')
        await scheduler.wait(50_000)
      }),
    act: audience => untilNoted(audience, 'began'),
  },
  'about to pause': {
    run: ({ step, note }) =>
      step.do('long', async () => {
        await note('began')
        await scheduler.wait(50_000)
      }),
    act: async audience => {
      await untilNoted(audience, 'began')
      await audience.instance.pause()
    },
  },
}

const VERBS: Readonly<Record<string, (instance: WorkflowInstance) => unknown>> = {
  'status()': instance => instance.status(),
  'pause()': instance => instance.pause(),
  'pause() twice': async instance => {
    await instance.pause()
    await instance.pause()
  },
  'resume()': instance => instance.resume(),
  'restart()': instance => instance.restart(),
  'terminate()': instance => instance.terminate(),
  'delete()': instance => instance.delete(),
  'sendEvent()': instance => instance.sendEvent({ type: 'other', payload: 1 }),
}

/** A call in a state, by its name. */
export const STATE_CASES: Readonly<Record<string, Scene>> = Object.fromEntries(
  Object.entries(STATES).flatMap(([state, { run, act }]) =>
    Object.entries(VERBS).map(([verb, call]): [string, Scene] => [
      `${verb} of one that is ${state}`,
      {
        run,
        act: async audience => {
          await act(audience)
          return [
            await see(() => call(audience.instance)),
            await see(() => settled(audience.instance, RUNNING.includes(state))),
          ]
        },
      },
    ]),
  ),
)

/** Those in which a callback runs for long. */
const RUNNING = ['running', 'about to pause']

/** The status that an instance keeps; `running` passes unless its callback runs for long. */
async function settled(instance: WorkflowInstance, mayRun: boolean): Promise<string> {
  let last = ''
  let same = 0
  await until(async () => {
    const { status } = await instance.status()
    same = status === last && status !== 'queued' && (mayRun || status !== 'running') ? same + 1 : 0
    last = status
    return same === 6
  })
  return last
}
