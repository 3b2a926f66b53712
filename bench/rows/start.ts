import { Api } from '../api.ts'
import { makeTempDir } from '../processes.ts'
import type { Row } from '../row.ts'
import { readFunctionSource, startPlatform } from '../servers.ts'
import { quantile } from '../stats.ts'

const TIMES = 7
const SCRIPTS = 20

/** From the start of `skerry up` to its `ready` line, on a data directory with something deployed. */
export async function measureStart(): Promise<Row[]> {
  using dir = makeTempDir()
  const first = await startPlatform(dir.path)
  try {
    const api = await Api.open(first)
    for (let i = 0; i < SCRIPTS; i++) await api.deploy(`bench-${i}`, readFunctionSource())
    api.close()
  } finally {
    await first.stop()
  }
  const times: number[] = []
  for (let i = 0; i < TIMES; i++) {
    const platform = await startPlatform(dir.path)
    times.push(platform.readyMs)
    await platform.stop()
  }
  return [
    {
      row: 'start',
      what: 'start to ready, warm data directory, p50',
      value: quantile(times, 0.5),
      unit: 'ms',
      spread: `quartiles ${quantile(times, 0.25).toFixed(0)}–${quantile(times, 0.75).toFixed(0)}, first start ${first.readyMs.toFixed(0)}`,
      budget: { of: 'value', atMost: 1000 },
    },
  ]
}
