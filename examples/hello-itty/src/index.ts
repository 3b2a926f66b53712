import { AutoRouter } from 'itty-router'

const router = AutoRouter()

router
  .get('/', () => 'Hello from itty-router. Try /hello/<name>.\n')
  .get('/hello/:name', ({ params }) => ({ hello: decodeURIComponent(params.name ?? '') }))

export default { fetch: router.fetch } satisfies ExportedHandler
