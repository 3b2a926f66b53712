import { expect, test } from 'vitest'
import { gatewayJsonSchema } from '../../routes/gateway/json-schema.ts'

test('docs/gateway.schema.json is what the platform serves; `vitest run --project unit test/docs -u` writes it anew', async () => {
  const text = `${JSON.stringify(gatewayJsonSchema(), null, 2)}\n`
  await expect(text).toMatchFileSnapshot('../../docs/gateway.schema.json')
})
