import { describe, expect, test } from 'vitest'
import { toSkerryError } from '../../src/core/errors.ts'
import type { ExportRef } from '../../src/core/manifest.ts'
import type {
  ExportsRemark,
  MigrationStep,
  Migrations,
  ObjectExports,
} from '../../src/core/object-changes.ts'
import {
  MAX_NAMESPACES,
  type NamespaceContext,
  type NamespacePlan,
} from '../../src/registry/namespace-draft.ts'
import { reconcileExports } from '../../src/registry/namespace-exports.ts'
import { applyMigrations } from '../../src/registry/namespace-migrations.ts'
import { requireClasses, resolveNamespaces } from '../../src/registry/namespace-plan.ts'
import type { NamespaceRecord } from '../../src/registry/object-namespaces.ts'

const namespace = (name: string, script = 'here', sqlite = 1): NamespaceRecord => ({
  id: `id-${script}-${name}`,
  script,
  class: name,
  sqlite,
  created_on: 'then',
})

const exported = (name: string, kind: ExportRef['kind'] = 'durable-object'): ExportRef => ({
  name,
  kind,
  handlers: [],
})

interface Given {
  readonly has?: readonly NamespaceRecord[]
  readonly code?: readonly (string | ExportRef)[]
  readonly tag?: string
  readonly bound?: readonly string[]
  readonly boundBy?: Readonly<Record<string, readonly string[]>>
  readonly transfers?: NamespaceContext['transfers']
  readonly scripts?: readonly string[]
}

function context({
  has = [],
  code = [],
  tag,
  bound = [],
  boundBy = {},
  transfers = [],
  scripts = [],
}: Given) {
  let made = 0
  return {
    script: 'here',
    exports: code.map(item => (typeof item === 'string' ? exported(item) : item)),
    namespaces: has,
    transfers,
    tag: tag ?? null,
    bound,
    hasScript: (name: string) => ['here', 'there', ...scripts].includes(name),
    boundBy: (id: string) => boundBy[id] ?? [],
    createId: () => `new-${++made}`,
    now: 'now',
  } satisfies NamespaceContext
}

/** The namespaces as `script/class: id`, and `legacy` where that is their storage. */
function names({ namespaces }: NamespacePlan): string[] {
  return namespaces
    .map(({ script, class: name, id, sqlite }) => `${script}/${name}: ${id}${sqlite ? '' : ' legacy'}`)
    .sort()
}

function refusal(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    const known = toSkerryError(error)
    return `${known?.code} ${known?.detail}`
  }
  return 'nothing was refused'
}

const step = (fields: Partial<MigrationStep>): MigrationStep => ({
  deleted: [],
  renamed: [],
  transferred: [],
  created: [],
  createdSqlite: [],
  ...fields,
})

const migrate = (given: Given, steps: readonly Partial<MigrationStep>[], more: Partial<Migrations> = {}) =>
  applyMigrations(context(given), { newTag: 'v2', steps: steps.map(step), ...more })

describe('applyMigrations()', () => {
  test.each<[string, Given, Partial<MigrationStep>[], string[]]>([
    ['makes a namespace for a new class', { code: ['A'] }, [{ createdSqlite: ['A'] }], ['here/A: new-1']],
    [
      'remembers a class with key-value storage',
      { code: ['A'] },
      [{ created: ['A'] }],
      ['here/A: new-1 legacy'],
    ],
    [
      'takes a class without a base, as it can not be told',
      { code: [exported('A', 'other')] },
      [{ createdSqlite: ['A'] }],
      ['here/A: new-1'],
    ],
    [
      'renames a class and keeps its id',
      { has: [namespace('A')], code: ['B'] },
      [{ renamed: [{ from: 'A', to: 'B' }] }],
      ['here/B: id-here-A'],
    ],
    [
      'swaps two names through a third',
      { has: [namespace('A'), namespace('B')], code: ['A', 'B'] },
      [
        { renamed: [{ from: 'A', to: 'C' }] },
        { renamed: [{ from: 'B', to: 'A' }] },
        { renamed: [{ from: 'C', to: 'B' }] },
      ],
      ['here/A: id-here-B', 'here/B: id-here-A'],
    ],
    ['deletes a class', { has: [namespace('A')] }, [{ deleted: ['A'] }], []],
    [
      'gives a class that is deleted and made again another id',
      { has: [namespace('A')], code: ['A'], bound: ['A'] },
      [{ deleted: ['A'] }, { createdSqlite: ['A'] }],
      ['here/A: new-1'],
    ],
    [
      "takes another script's class over, and leaves that script's others",
      { has: [namespace('A', 'there'), namespace('B', 'there')], code: ['C'] },
      [{ transferred: [{ from: 'A', fromScript: 'there', to: 'C' }] }],
      ['here/C: id-there-A', 'there/B: id-there-B'],
    ],
    [
      'needs no code for a class that a later step renames or deletes',
      { code: ['C'] },
      [{ createdSqlite: ['A', 'B'] }, { renamed: [{ from: 'A', to: 'C' }], deleted: ['B'] }],
      ['here/C: new-1'],
    ],
  ])('%s', (_, given, steps, expected) => {
    const plan = migrate(given, steps)
    expect(names(plan)).toEqual(expected)
    expect(plan.tag).toBe('v2')
  })

  test.each<[string, Given, Partial<MigrationStep>[], string]>([
    [
      'a new class that the code does not export',
      { code: ['B'] },
      [{ created: ['A'] }],
      "ERR_OBJECT_CLASS_UNEXPORTED Cannot apply new-class migration to class 'A' that is not exported by script",
    ],
    [
      'a new class that is an entrypoint',
      { code: [exported('A', 'entrypoint')] },
      [{ createdSqlite: ['A'] }],
      "ERR_OBJECT_CLASS_UNEXPORTED Cannot apply new-sqlite-class migration to class 'A' that is not exported by script",
    ],
    [
      'a new class that has objects',
      { has: [namespace('A')], code: ['A'] },
      [{ created: ['A'] }],
      "ERR_OBJECT_CLASS_STATE Cannot apply new-class migration to class 'A' that is already depended on by existing Durable Objects",
    ],
    [
      'a deletion of a class that is not there',
      {},
      [{ deleted: ['A'] }],
      "ERR_OBJECT_CLASS_STATE Cannot apply delete-class migration to class 'A' which was not exported in the previous version of the script",
    ],
    [
      'a deletion of a class that the new version binds',
      { has: [namespace('A')], bound: ['A'] },
      [{ deleted: ['A'] }],
      "ERR_OBJECT_CLASS_NOT_FOUND Cannot apply --delete-class migration to class 'A' without also removing the binding that references it.",
    ],
    [
      'a deletion of a class that another script binds',
      { has: [namespace('A')], boundBy: { 'id-here-A': ['guest'] } },
      [{ deleted: ['A'] }],
      "ERR_OBJECT_CLASS_NOT_FOUND Cannot apply --delete-class migration to class 'A' without also removing the binding that references it. Other scripts that bind it: guest.",
    ],
    [
      'a renaming to a class that has objects',
      { has: [namespace('A'), namespace('B')], code: ['B'] },
      [{ renamed: [{ from: 'A', to: 'B' }] }],
      "ERR_OBJECT_CLASS_STATE Cannot apply rename-class migration to class 'B' that is already depended on by existing Durable Objects",
    ],
    [
      'a transfer of a class that the other script has not',
      { code: ['A'] },
      [{ transferred: [{ from: 'A', fromScript: 'there', to: 'A' }] }],
      "ERR_OBJECT_CLASS_STATE Cannot apply transfer-class migration to class 'A' which was not exported in the script 'there'",
    ],
  ])('refuses %s', (_, given, steps, expected) => {
    expect(refusal(() => migrate(given, steps))).toBe(expected)
  })

  test.each([
    ['none, and one is named', undefined, 'v1', false],
    ['v1, and none is named', 'v1', undefined, false],
    ['v1, and v2 is named', 'v1', 'v2', false],
    ['v1, and v1 is named', 'v1', 'v1', true],
    ['none, and none is named', undefined, undefined, true],
  ])('with the current tag %s', (_, tag, oldTag, isFine) => {
    const act = () => migrate({ ...(tag && { tag }) }, [], { ...(oldTag && { oldTag }) })
    if (isFine) expect(act().tag).toBe('v2')
    else
      expect(refusal(act)).toBe(
        `ERR_OBJECT_MIGRATION_TAG Migration tag precondition failed; current tag is ${tag ?? "''"}`,
      )
  })

  test('makes no more namespaces than an account can have', () => {
    const has = Array.from({ length: MAX_NAMESPACES - 1 }, (_, n) => namespace(`C${n}`, 'there'))
    expect(migrate({ has, code: ['A'] }, [{ createdSqlite: ['A'] }]).namespaces).toHaveLength(MAX_NAMESPACES)
    const two = () => migrate({ has, code: ['A', 'B'] }, [{ createdSqlite: ['A', 'B'] }])
    expect(refusal(two)).toContain(
      `ERR_OBJECT_NAMESPACE_LIMIT The account has ${MAX_NAMESPACES} Durable Object classes`,
    )
  })
})

describe('reconcileExports()', () => {
  const sqlite = { state: 'created', storage: 'sqlite' } as const
  const expecting = { state: 'expecting-transfer', storage: 'sqlite', transferFrom: 'there' } as const

  test.each<[string, Given, ObjectExports, string[], object]>([
    [
      'makes what is declared and not there',
      { code: ['A'] },
      { A: sqlite },
      ['here/A: new-1'],
      { created: ['A'] },
    ],
    [
      'leaves what is there',
      { has: [namespace('A')], code: ['A'] },
      { A: sqlite },
      ['here/A: id-here-A'],
      {},
    ],
    ['deletes', { has: [namespace('A')] }, { A: { state: 'deleted' } }, [], { deleted: ['A'] }],
    [
      'says what was deleted before',
      {},
      { A: { state: 'deleted' } },
      [],
      {
        removable_entries: ['A'],
        info: [expect.objectContaining({ class: 'A', scenario: 'stale_tombstone' })],
      },
    ],
    [
      'renames',
      { has: [namespace('A')], code: ['B'] },
      { A: { state: 'renamed', renamedTo: 'B' }, B: sqlite },
      ['here/B: id-here-A'],
      { renamed: [{ from: 'A', to: 'B' }] },
    ],
    [
      'says what was renamed before',
      { has: [namespace('B')], code: ['B'] },
      { A: { state: 'renamed', renamedTo: 'B' }, B: sqlite },
      ['here/B: id-here-B'],
      { removable_entries: ['A'], info: [expect.objectContaining({ scenario: 'stale_tombstone' })] },
    ],
    [
      'waits for a transfer',
      { has: [namespace('A', 'there')], code: ['A'] },
      { A: expecting },
      ['there/A: id-there-A'],
      { transfer_pending: [{ class: 'A', from: 'there' }] },
    ],
    [
      'hands over what is waited for',
      { has: [namespace('A')], transfers: [{ script: 'there', class: 'A', from_script: 'here' }] },
      { A: { state: 'transferred', transferredTo: 'there' } },
      ['there/A: id-here-A'],
      { transferred: [{ class: 'A', to: 'there', phase: 'committed' }] },
    ],
    [
      'says that a transfer was done',
      { has: [namespace('A')], code: ['A'] },
      { A: expecting },
      ['here/A: id-here-A'],
      { info: [expect.objectContaining({ scenario: 'transfer_receive_already_applied' })] },
    ],
    [
      'says which class of the code is not declared',
      { code: ['A', 'B'] },
      { A: sqlite },
      ['here/A: new-1'],
      {
        created: ['A'],
        info: [expect.objectContaining({ class: 'B', scenario: 'code_class_not_in_exports' })],
      },
    ],
  ])('%s', (_, given, exports, expected, report) => {
    const plan = reconcileExports(context(given), exports)
    expect(names(plan)).toEqual(expected)
    expect(plan.report).toEqual({ ...EMPTY, ...report })
  })

  test.each<[scenario: string, Given, ObjectExports]>([
    ['provisioned_class_missing_from_config', { has: [namespace('A')], code: ['A', 'B'] }, { B: sqlite }],
    ['config_references_nonexistent_class', {}, { A: sqlite }],
    ['storage_type_mismatch', { has: [namespace('A', 'here', 0)], code: ['A'] }, { A: sqlite }],
    ['storage_type_mismatch', { code: ['A'] }, { A: { state: 'created', storage: 'legacy-kv' } }],
    [
      'tombstone_delete_class_still_in_code',
      { has: [namespace('A')], code: ['A'] },
      { A: { state: 'deleted' } },
    ],
    [
      'tombstone_delete_blocked_by_external_bindings',
      { has: [namespace('A')], boundBy: { 'id-here-A': ['guest'] } },
      { A: { state: 'deleted' } },
    ],
    ['invalid_export', { has: [namespace('A')], code: ['B'] }, { A: { state: 'renamed', renamedTo: 'B' } }],
    [
      'tombstone_renamed_to_occupied',
      { has: [namespace('A'), namespace('B')], code: ['B'] },
      { A: { state: 'renamed', renamedTo: 'B' }, B: sqlite },
    ],
    [
      'transferred_target_missing',
      { has: [namespace('A')] },
      { A: { state: 'transferred', transferredTo: 'nobody' } },
    ],
    [
      'transferred_pending_not_found',
      { has: [namespace('A')] },
      { A: { state: 'transferred', transferredTo: 'there' } },
    ],
    ['phase_one_transfer_source_missing', { code: ['A'] }, { A: { ...expecting, transferFrom: 'nobody' } }],
    ['phase_one_transfer_source_namespace_missing', { code: ['A'] }, { A: expecting }],
    [
      'phase_one_transfer_target_class_provisioned',
      { has: [namespace('A'), namespace('A', 'there')], code: ['A'] },
      { A: expecting },
    ],
  ])('refuses with %s', (scenario, given, exports) => {
    const [, code, details] =
      /^(\S+) (.*)$/.exec(refusal(() => reconcileExports(context(given), exports))) ?? []
    expect(code).toBe('ERR_OBJECT_EXPORTS')
    const [first, ...others] = JSON.parse(details ?? '[]') as ExportsRemark[]
    expect(first).toMatchObject({ class: 'A', scenario, message: expect.stringContaining("'A'") })
    expect(others).toEqual([])
  })

  test('tells all that is wrong at once', () => {
    const exports = { A: sqlite, B: sqlite }
    expect(JSON.parse(refusal(() => reconcileExports(context({}), exports)).slice(19))).toHaveLength(2)
  })
})

describe('resolveNamespaces()', () => {
  const binding = (className: string, script?: string) => ({
    type: 'durable_object_namespace' as const,
    name: 'X',
    class_name: className,
    ...(script && { script_name: script }),
  })
  const plan: NamespacePlan = {
    namespaces: [namespace('A'), namespace('B', 'there')],
    transfers: [{ script: 'here', class: 'B', from_script: 'there' }],
    tag: null,
  }

  test.each([
    ['its own', binding('A'), { 'durable_object_namespace/here/A': 'id-here-A' }],
    ["another script's", binding('B', 'there'), { 'durable_object_namespace/there/B': 'id-there-B' }],
    ['one that is to be transferred', binding('B'), { 'durable_object_namespace/here/B': 'id-there-B' }],
  ])('a binding of a class: %s', (_, spec, expected) => {
    expect(resolveNamespaces(plan, 'here', [spec])).toMatchObject(expected)
  })

  test("has the script's own classes without a binding, also one that is to be transferred to it", () => {
    expect(resolveNamespaces(plan, 'here', [])).toEqual({ 'export/A': 'id-here-A', 'export/B': 'id-there-B' })
    expect(resolveNamespaces(plan, 'there', [])).toEqual({ 'export/B': 'id-there-B' })
    expect(resolveNamespaces(plan, 'nobody', [])).toEqual({})
  })

  test.each([
    ['none', binding('C'), "class 'C' because"],
    ['of no script', binding('A', 'nobody'), "class 'A' of the script 'nobody' because"],
  ])('a binding of a class: %s', (_, spec, problem) => {
    expect(refusal(() => resolveNamespaces(plan, 'here', [spec]))).toContain(
      `ERR_OBJECT_CLASS_NOT_FOUND Cannot create binding for ${problem}`,
    )
  })
})

test('requireClasses() refuses code that misses a class of its script, and no others', () => {
  const has = [namespace('A'), namespace('B', 'there')]
  expect(refusal(() => requireClasses(has, 'here', []))).toContain(
    "ERR_OBJECT_CLASS_MISSING New version of script does not export class 'A' which is depended on",
  )
  expect(requireClasses(has, 'here', [exported('A')])).toBeUndefined()
})

const EMPTY = {
  created: [],
  updated: [],
  deleted: [],
  renamed: [],
  transferred: [],
  transfer_pending: [],
  warnings: [],
  info: [],
  removable_entries: [],
}
