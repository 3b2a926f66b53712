import { describe, expect, test } from 'vitest'
import { OutboundMeter, WINDOW_MS } from '../../runtime/outbound-meter.ts'

const code = (message: string) => expect.objectContaining({ code: 'ERR_SUBREQUEST_LIMIT', message })

describe('OutboundMeter', () => {
  test('lets as many subrequests be under way as the limit says, and not one more', () => {
    const meter = new OutboundMeter({ concurrency: 2, burst: 100, perSecond: 100 })
    const leave = meter.enter('a', 0)
    meter.enter('a', 0)
    expect(() => meter.enter('a', 0)).toThrow(
      code('ERR_SUBREQUEST_LIMIT: Too many subrequests. On this edge, 2 of this script are under way.'),
    )
    leave()
    expect(() => meter.enter('a', 0)).not.toThrow()
  })

  test('lets a burst through, then as many a second as the limit says', () => {
    const meter = new OutboundMeter({ concurrency: 100, burst: 3, perSecond: 10 })
    for (let n = 0; n < 3; n++) meter.enter('a', 0)()
    expect(() => meter.enter('a', 99)).toThrow(
      code(
        'ERR_SUBREQUEST_LIMIT: Too many subrequests. On this edge, this script makes more than 10 a second.',
      ),
    )
    expect(() => meter.enter('a', 100)).not.toThrow()
  })

  test('counts each script for itself', () => {
    const meter = new OutboundMeter({ concurrency: 1, burst: 1, perSecond: 1 })
    meter.enter('a', 0)
    expect(() => meter.enter('b', 0)).not.toThrow()
    expect(() => meter.enter('a', 0)).toThrow('Too many subrequests.')
  })

  test('forgets subrequests that were dropped without a word after two windows, not before', () => {
    const meter = new OutboundMeter({ concurrency: 1, burst: 100, perSecond: 100 })
    meter.enter('a', 0)
    expect(() => meter.enter('a', WINDOW_MS)).toThrow('Too many subrequests.')
    expect(() => meter.enter('a', 2 * WINDOW_MS)).not.toThrow()
  })

  test('ends a subrequest of an earlier window without counting the later ones down', () => {
    const meter = new OutboundMeter({ concurrency: 1, burst: 100, perSecond: 100 })
    const leave = meter.enter('a', 0)
    meter.enter('a', 2 * WINDOW_MS)
    leave()
    expect(() => meter.enter('a', 2 * WINDOW_MS)).toThrow('Too many subrequests.')
  })
})
