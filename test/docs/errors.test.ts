import { expect, test } from 'vitest'
import { ERRORS } from '../../src/core/errors.ts'

test('docs/errors.md says of every error what the table says; `vitest run test/docs -u` writes it anew', async () => {
  await expect(toMarkdown()).toMatchFileSnapshot('../../docs/errors.md')
})

function toMarkdown(): string {
  const rows = Object.entries(ERRORS).map(([code, error]) => {
    const { status, blame, retryable, remedy } = error
    const cloudflareCode = 'cloudflareCode' in error ? `${error.cloudflareCode}` : '–'
    return [`\`${code}\``, `${status}`, cloudflareCode, blame, retryable ? 'yes' : 'no', remedy]
  })
  return `${INTRODUCTION}\n${toTable([HEAD, HEAD.map(() => ''), ...rows])}`
}

const HEAD = ['code', 'status', 'Cloudflare', 'to act', 'retry', 'what to do']

/** As the formatter writes tables: columns padded, the second row their rule. */
function toTable(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  const lines = rows.map((row, i) =>
    row.map((cell, column) => cell.padEnd(widths[column] ?? 0, i === 1 ? '-' : ' ')),
  )
  return lines.map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

const INTRODUCTION = `# Errors

Every error that the platform answers with has a code that stays the same; its message states the value, the bound and the way out. This page is written from the table in \`src/core/errors.ts\`.

- **On functions' hosts and below \`/api/v1\`:** problem JSON ([RFC 9457](https://www.rfc-editor.org/rfc/rfc9457)), with \`code\` and \`request_id\`, and the header \`skerry-request-id\`.
- **Below \`/client/v4\`:** Cloudflare's envelope; \`errors[0].code\` is Cloudflare's number, \`errors[0].error_code\` the code below.
- **Inside a function:** an exception whose message begins with the code, where Cloudflare has no words of its own.

What a function itself answers passes through untouched, errors included.

"To act" is who can do something: the \`caller\` of an API or function, the \`function\`'s author, or the \`platform\`'s operator. "Retry": the same request may succeed later, unchanged.
`
