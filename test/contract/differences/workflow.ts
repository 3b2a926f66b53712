import type { Differences, Result } from './difference.ts'

/** What ours does in cases, and why it differs. */
type Row = readonly [names: readonly string[], ours: unknown, why: string]

/** From this compatibility date on errors keep their names between isolates; before, messages begin so. */
const NAMES_CROSS = '2026-04-21'
/** From this one on, an instance has failed with the very NonRetryableError that nobody caught. */
const MESSAGE_PRESERVED = '2026-05-14'

const UNCHECKED = 'natively it fails, or not, by accident: nothing looks at it'
const STRICTER = "Cloudflare's documentation allows no other; natively nothing is checked"
const LARGEST = "Cloudflare's bound, which workerd's own engine doesn't have"
const WORDING = 'it is refused as well; the words are those of how ours stores values'
const NOT_CLONEABLE =
  "it is not what structuredClone() takes, which is what Cloudflare's documentation allows"
const UNSUPPORTED = 'it is not supported, and said so'
const ALIKE = 'the error is the same each time; natively, what more it has is gone when run() begins again'
const PACED = 'the step is an object in the isolate itself, which lets a few begin at a time'
const NEVER_TOLD = "a run that is ended isn't told so: a catch block would take it for the failure of a step"

const DURATION =
  "(body) Duration must be a number or a string in format '{{number}} {{unit}}' where unit is second(s), minute(s), etc., and at most 30 days"
const NO_ROLLBACK = 'rollback is not supported by this platform. Undo in a catch block of run().'
const NO_SUBSCRIBE =
  'subscribe() is not supported by this platform. Ask for status(), or have run() write to a queue.'
const UNSERIALISABLE = 'The execution of the Workflow instance was terminated, as'

/** Where ours differs from workerd's own engine, on a compatibility date. Everything else must be equal. */
export function differencesOn(date: string): Differences {
  const error = (name: string, message: string) => `${date < NAMES_CROSS ? 'Error: ' : ''}${name}: ${message}`
  const rows = [
    ...callRows(error),
    ...valueRows(error),
    ...sceneRows(error),
    ...(date < NAMES_CROSS ? namelessRows() : richRows()),
    ...(date < MESSAGE_PRESERVED ? replacedRows() : []),
  ]
  return Object.fromEntries(rows.flatMap(([names, ours, why]) => names.map(name => [name, { ours, why }])))
}

/** An error's name and message, as another isolate has them. */
type Shown = (name: string, message: string) => string

function callRows(error: Shown): Row[] {
  const calls = (...names: string[]) => names.map(name => `calls: ${name}`)
  const refused = (message: string) => `! ${error('WorkflowError', message)}`
  const received = (kind: string) => refused(`(body) Invalid input: expected object, received ${kind}`)
  return [
    [calls('the text of a workflow'), '= [object Object]', 'no program looks at it'],
    [calls('create() of null'), received('null'), UNCHECKED],
    [calls('create() of a string'), received('string'), UNCHECKED],
    [calls('create() of a number'), received('number'), UNCHECKED],
    [calls('create() of an array'), received('array'), UNCHECKED],
    [calls('create() of a function'), received('function'), UNCHECKED],
    [calls('create() with undefined as id'), '= <uuid>', 'an undefined field is none, as all others are'],
    [
      calls(
        ...['0', '-1', 'no unit', 'an unknown unit', '0 days', 'a year'].map(
          what => `create() with a retention of ${what}`,
        ),
        'create() with NaN as retention',
        'create() with an empty retention',
        'create() with null as a retention',
        'create() with a bad retention for errors',
        'createBatch() of an array with a bad retention',
        'createBatch() of instances, a bad retention',
        'createBatch() of instances, a retention of 0',
        'createBatch() of a count with a bad retention',
      ),
      refused(DURATION),
      'all are checked alike, and for the most that is allowed; natively one form of createBatch() is',
    ],
    [
      calls(
        'create() with a function as params',
        'create() with a function in params',
        'createBatch() of an array with a function as params',
        'sendEvent() with a function as payload',
      ),
      notCloned('[object JsRpcStub]'),
      WORDING,
    ],
    [calls('create() with a Response as params'), notCloned('#<Response>'), WORDING],
    [calls('create() with a stream as params'), notCloned('#<ReadableStream>'), WORDING],
    [
      calls('create() with more than 1 MiB of params'),
      refused('(body) params of 1048590 bytes is too large; at most 1048576 are allowed'),
      LARGEST,
    ],
    [
      calls('sendEvent() with more than 1 MiB of payload'),
      refused('(body) payload of 1048590 bytes is too large; at most 1048576 are allowed'),
      LARGEST,
    ],
    [
      calls('createBatch() of a string', 'createBatch() of a number'),
      refused('(body) Provided argument is invalid'),
      UNCHECKED,
    ],
    [calls('createBatch() of an array with null'), received('null'), UNCHECKED],
    [calls('createBatch() of an array of strings'), received('string'), UNCHECKED],
    [
      calls('createBatch() of instances, a location that is none'),
      '= {created: ["<id>"], errors: []}',
      'all instances are in one place, whatever location is asked for',
    ],
    [
      calls(
        'sendEvent() of {}',
        'sendEvent() with a number as type',
        'sendEvent() with an empty type',
        'sendEvent() with a type of 101 characters',
        'sendEvent() with a type with a dot',
        'sendEvent() with a type with a space',
        'sendEvent() with a type that begins with -',
      ),
      refused('(instance.invalid_event_type) Event type is invalid'),
      STRICTER,
    ],
    [calls('restart() with null'), '= undefined', 'null is as good as no options'],
    [calls('terminate() of an ended one with its rollbacks'), refused(`(body) ${NO_ROLLBACK}`), UNSUPPORTED],
    [calls('subscribe()', 'subscribe() of one that was deleted'), refused(NO_SUBSCRIBE), UNSUPPORTED],
  ]
}

function valueRows(error: Shown): Row[] {
  const values = (what: string, ...ways: string[]) => ways.map(way => `values: ${what} ${way}`)
  const sent = ['as params', "as an event's payload"]
  const large = 'a little more than 1 MiB'
  const tooLarge = (what: string, bytes: number) =>
    `! ${error('WorkflowError', `(body) ${what} of ${bytes} bytes is too large; at most 1048576 are allowed`)}`
  const ended = (message: string) => `errored: null ! WorkflowFatalError: ${message}`
  const byStep = ended(`${UNSERIALISABLE} the step "value" returned a value which is not serialisable`)
  const byRun = ended(`${UNSERIALISABLE} run() returned a value which is not serialisable`)
  return [
    [values(large, 'as params'), tooLarge('params', 1_048_618), LARGEST],
    [values(large, "as an event's payload"), tooLarge('payload', 1_048_590), LARGEST],
    [
      values(large, "as a step's result"),
      `complete: ! ${error('WorkflowInternalError', 'Step value-1 output is too large. Maximum allowed size is 1MiB.')}`,
      LARGEST,
    ],
    [
      values(large, "as run()'s result"),
      ended('The output of the Workflow instance is too large. Maximum allowed size is 1MiB.'),
      LARGEST,
    ],
    [
      [...values('a function', ...sent), ...values('a function in an object', ...sent)],
      notCloned('[object JsRpcStub]'),
      WORDING,
    ],
    [values('a Response', ...sent), notCloned('#<Response>'), WORDING],
    [values('a ReadableStream', ...sent), notCloned('#<ReadableStream>'), WORDING],
    [values('a ReadableStream', "as a step's result"), byStep, UNSUPPORTED],
    ...['Request', 'Headers', 'Blob'].flatMap((name): Row[] => [
      [values(`a ${name}`, ...sent), notCloned(`#<${name}>`), NOT_CLONEABLE],
      [values(`a ${name}`, "as a step's result"), byStep, NOT_CLONEABLE],
      [values(`a ${name}`, "as run()'s result"), byRun, NOT_CLONEABLE],
    ]),
  ]
}

function sceneRows(error: Shown): Row[] {
  const fatal = (message: string) => error('WorkflowFatalError', message)
  const refused = (line: string) => complete(`! ${line}`)
  const noRollback = fatal(
    'Step "a" has a rollback, which this platform does not support. Undo in a catch block.',
  )
  const badType = (step: string) => refused(fatal(`Event type of the step "${step}" is invalid`))
  return [
    [catching('a DOMException'), caught(error('AbortError', 'boo')), ALIKE],
    [scenes('the names of classes'), complete('["Step", "Object"]'), PACED],
    [scenes('an unknown method of a step'), complete('! TypeError: step.undo is not a function'), PACED],
    [
      scenes('a step with a rollback', 'a step with a config and a rollback'),
      refused(noRollback),
      UNSUPPORTED,
    ],
    [
      scenes('rollbacks of a run that fails'),
      { end: `errored: null ! ${noRollback}`, notes: [] },
      UNSUPPORTED,
    ],
    [
      scenes('terminate with rollbacks'),
      {
        acted: `! ${error('WorkflowError', `(body) ${NO_ROLLBACK}`)}`,
        end: `errored: null ! ${noRollback}`,
        notes: [],
      },
      UNSUPPORTED,
    ],
    [
      scenes('do() with a config: null as retries'),
      refused(
        fatal(
          'Step config for "a" is in a invalid format. See https://developers.cloudflare.com/workflows/build/sleeping-and-retrying/',
        ),
      ),
      UNCHECKED,
    ],
    [scenes('waitForEvent() with a timeout of -1'), refused('TypeError: Invalid duration "-1"'), UNCHECKED],
    [scenes('waitForEvent() without argument'), badType('undefined'), 'of two faults another is told'],
    [scenes('waitForEvent() with null as options'), badType('a'), UNCHECKED],
    [
      scenes(
        'waitForEvent() without type',
        'waitForEvent() with an empty type',
        'waitForEvent() with a number as type',
        'waitForEvent() with a type of 101 characters',
        'waitForEvent() with a type with a dot',
        'waitForEvent() with a type with a space',
      ),
      badType('a'),
      STRICTER,
    ],
    [
      scenes('a long wait and a sleep in a race'),
      { acted: '= complete', end: 'complete: slept', notes: [] },
      'natively the sleep that began after the wait is forgotten, until the wait is over',
    ],
    [
      scenes('what is caught when a long wait begins'),
      { acted: '= undefined', end: 'complete: null', notes: [] },
      NEVER_TOLD,
    ],
    [
      scenes('what is caught when it is terminated while it sleeps'),
      { acted: '= undefined', end: 'terminated: null', notes: [] },
      NEVER_TOLD,
    ],
  ]
}

/** What crosses together with names, and no more of it is kept than the name. */
function richRows(): Row[] {
  return [
    [catching('an Error with a cause', 'an Error with fields'), caught('Error: boo'), ALIKE],
    [catching('an object'), caught('Error: [object Object]'), ALIKE],
    [catching('an object with a message'), caught('N: m'), ALIKE],
  ]
}

/** Errors that are told apart by their name alone, when names don't cross. */
function namelessRows(): Row[] {
  const why = 'natively the name is kept until run() begins again'
  const point = 'Could not serialize object of type "Point". This type does not support serialization.'
  const row = (value: string, message: string): Row => [
    [`values: ${value} as a step's result`],
    `complete: ! Error: DataCloneError: ${message}`,
    why,
  ]
  return [
    row('an instance of a class', point),
    row('an object without prototype', point.replace('Point', 'Object')),
    row('a URL', point.replace('Point', 'URL')),
    row('a symbol', 'Symbol(s) could not be cloned.'),
    row('a Promise in an object', '#<Promise> could not be cloned.'),
    row('a WeakMap', '#<WeakMap> could not be cloned.'),
    [
      scenes('a step that throws a DOMException'),
      { end: 'errored: null ! Error: AbortError: boo', notes: ['try', 'try', 'try'] },
      why,
    ],
    [
      scenes('a result that is no value, caught'),
      { end: 'complete: b', notes: ['! Error: DataCloneError: Symbol(s) could not be cloned.'] },
      why,
    ],
  ]
}

/** What an instance has failed with, where natively it is only said that there was a NonRetryableError. */
function replacedRows(): Row[] {
  const kinds: readonly (readonly [kind: string, message: string])[] = [
    ['a NonRetryableError', 'boo'],
    ['a NonRetryableError without message', ''],
    ['an Error named NonRetryableError', 'boo'],
  ]
  const why = 'what was thrown is worth knowing on any date'
  return kinds.flatMap(([kind, message]): Row[] => {
    const end = `errored: null ! NonRetryableError: ${message}`
    return [
      [scenes(`run() that throws ${kind}`), { end, notes: [] }, why],
      [scenes(`a step that throws ${kind}`), { end, notes: ['try'] }, why],
      [scenes(`a step that throws ${kind} first`), { end, notes: ['attempt 1'] }, why],
    ]
  })
}

function scenes(...names: string[]): string[] {
  return names.map(name => `scenes: ${name}`)
}

function catching(...thrown: string[]): string[] {
  return scenes(...thrown.map(what => `catching a step that throws ${what}`))
}

/** An error of which code sees nothing but name and message. */
function caught(line: string): object {
  return complete(`[${JSON.stringify(line)}, true, undefined, undefined]`)
}

function complete(output: string): object {
  return { end: `complete: ${output}`, notes: [] }
}

function notCloned(what: string): string {
  return `! DataCloneError: ${what} could not be cloned.`
}

/** What the driver tries, each at a path of its own; large values last, when other kinds are done with theirs. */
export const PARTS = ['scenes', 'states', 'calls', 'values'] as const

/** The results of a part, under names that say which. */
export function comparable(part: (typeof PARTS)[number], text: string): Result[] {
  return (JSON.parse(text) as Result[]).map(([name, outcome]) => [`${part}: ${name}`, outcome])
}
