/** Every keyword of every draft, and those of OpenAPI: what may stand in a schema and is known, checked or not. */
export const KEYWORDS: ReadonlySet<string> = new Set(
  `$schema $id $ref $anchor $dynamicRef $dynamicAnchor $recursiveRef $recursiveAnchor $vocabulary $comment $defs
  id definitions
  type enum const
  multipleOf maximum exclusiveMaximum minimum exclusiveMinimum
  maxLength minLength pattern format
  items prefixItems additionalItems unevaluatedItems maxItems minItems uniqueItems contains maxContains minContains
  properties patternProperties additionalProperties unevaluatedProperties maxProperties minProperties required
  propertyNames dependentRequired dependentSchemas dependencies
  allOf anyOf oneOf not if then else
  title description default examples deprecated readOnly writeOnly contentEncoding contentMediaType contentSchema
  nullable discriminator xml externalDocs example`.split(/\s+/),
)
