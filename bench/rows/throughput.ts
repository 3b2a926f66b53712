import { Api } from '../api.ts'
import { toRequest } from '../client.ts'
import { pinToCores } from '../cpu.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { readFunctionSource, type Server, startFixture, startPlatform } from '../servers.ts'
import { measureInTurns, type Round, type RowsOf, toRows } from '../slices.ts'

const WARM_UP_REQUESTS = 12_000
/** Each repetition has fresh processes: how a process happens to lie in memory is worth some per cent. */
const REPETITIONS = 4
const ROUNDS = 24

type Variant = 'bare' | 'platform' | 'control' | 'hello'

/**
 * Route + function, messages untouched, against two copies of the bare loader; hello-world as the limit. Equals
 * are compared: one edge process, beside the state process that has nothing to do, and one bare-loader process.
 */
export async function measureThroughput(): Promise<Row[]> {
  using _pinned = pinToCores()
  const rounds: Round<Variant>[] = []
  for (let i = 0; i < REPETITIONS; i++) rounds.push(...(await measureRounds()))
  const rows = (variant: Variant, what: string, more: Partial<RowsOf<Variant>> = {}) =>
    toRows(rounds, { row: 'throughput', what, variant, against: ['bare', 'control'], ...more })
  return [
    ...rows('platform', 'route + function', { budget: { of: 'ratio', atLeast: 0.92 } }),
    ...rows('bare', 'bare loader'),
    ...rows('control', 'bare loader, second copy'),
    ...rows('hello', 'hello world, no loader'),
  ]
}

async function measureRounds(): Promise<Round<Variant>[]> {
  using dir = makeTempDir()
  await using servers = new AsyncDisposableStack()
  const started = async <T extends Server>(server: Promise<T>) => servers.adopt(await server, s => s.stop())
  const platform = await started(startPlatform(dir.path, 2))
  const api = await Api.open(platform)
  await api.deploy('bench', readFunctionSource())
  api.close()

  const asked = { request: toRequest('bench.localhost'), expected: { status: 200, body: 'hello\n' } }
  // Awaited here: the servers end with this function.
  return await measureInTurns<Variant>(
    {
      bare: { server: await started(startFixture('bare-loader')), ...asked },
      platform: { server: platform, ...asked },
      control: { server: await started(startFixture('bare-loader')), ...asked },
      hello: { server: await started(startFixture('hello')), ...asked },
    },
    ROUNDS,
    () => WARM_UP_REQUESTS,
  )
}
