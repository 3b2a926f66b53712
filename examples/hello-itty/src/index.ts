import { AutoRouter, type IRequest, text } from 'itty-router'

const router = AutoRouter()

router
  .get('/', () => text('Hello from itty-router. Try /hello/<name>.\n'))
  .get('/hello/:name', ({ params }: IRequest) => ({ hello: params.name }))

export default { fetch: router.fetch } satisfies ExportedHandler
