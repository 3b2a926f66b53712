import { Hono } from 'hono'
import { securityHeaders } from 'skerry/policies'
import { callers } from './callers'
import { content } from './content'
import { limits } from './limits'
import { traffic } from './traffic'

export { Shared } from './shared'

const app = new Hono()

// The order counts: what stands first is outermost. This one is about every answer, refusals too.
app.use(securityHeaders({ content_security_policy: "default-src 'none'" }))

app.route('/', callers)
app.route('/', limits)
app.route('/', content)
app.route('/', traffic)

app.get('/', c => c.text('One path for each policy: see the files in src/.\n'))

export default app
