/** In what the versions of JSON Schema differ. */
export interface Dialect {
  /** The keyword that names a schema. */
  readonly id: 'id' | '$id'
  /** Beside `$ref` nothing else counts. */
  readonly refStandsAlone: boolean
  /** `items` may be a list of schemas, with `additionalItems` for the rest. */
  readonly hasListItems: boolean
  /** `exclusiveMinimum` and `exclusiveMaximum` are true or false, and belong to `minimum` and `maximum`. */
  readonly hasBooleanBounds: boolean
  /** What `contains` finds counts as evaluated. */
  readonly containsEvaluates: boolean
  /** OpenAPI 3.0: `nullable = true` lets null in. */
  readonly hasNullable: boolean
  /** OpenAPI: what is `readOnly` isn't required in requests. */
  readonly isRequest: boolean
}

const LATEST: Dialect = {
  id: '$id',
  refStandsAlone: false,
  hasListItems: false,
  hasBooleanBounds: false,
  containsEvaluates: true,
  hasNullable: false,
  isRequest: false,
}
const DRAFT_2019: Dialect = { ...LATEST, hasListItems: true, containsEvaluates: false }
const DRAFT_7: Dialect = { ...DRAFT_2019, refStandsAlone: true }
const DRAFT_4: Dialect = { ...DRAFT_7, id: 'id', hasBooleanBounds: true }

/** Versions of JSON Schema, by what `draft` may say. */
export const DRAFTS = {
  '2020-12': LATEST,
  '2019-09': DRAFT_2019,
  '7': DRAFT_7,
  '4': DRAFT_4,
} as const satisfies Record<string, Dialect>

export type Draft = keyof typeof DRAFTS

/** Schemas in an OpenAPI document, by its version. */
export const OPENAPI_DIALECTS = {
  '3.0': { ...DRAFT_4, hasNullable: true, isRequest: true },
  '3.1': { ...LATEST, isRequest: true },
} as const satisfies Record<string, Dialect>

/** The draft that a schema's `$schema` names; `undefined` if it names none that is known. Draft 6 reads as 7. */
export function draftOf(schema: unknown): Draft | undefined {
  if (typeof schema !== 'object' || schema === null || !('$schema' in schema)) return undefined
  const [, year, number] =
    /^https?:\/\/json-schema\.org\/(?:draft\/(20\d\d-\d\d)|draft-0([467]))\/schema#?$/.exec(
      String(schema.$schema),
    ) ?? []
  const name = year ?? (number === '6' ? '7' : number)
  return name !== undefined && Object.hasOwn(DRAFTS, name) ? (name as Draft) : undefined
}
