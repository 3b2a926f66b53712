import { AutoRouter, type IRequest } from 'itty-router'

const router = AutoRouter()

router
  .get('/', () => 'Hello from itty-router. Try /hello/<name>.\n')
  .get('/hello/:name', ({ params }: IRequest) => ({ hello: params.name }))

export default { fetch: router.fetch } satisfies ExportedHandler
