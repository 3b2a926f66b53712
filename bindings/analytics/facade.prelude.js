// The runtime's own class is in no isolate that is loaded: its conversions and its words are done here, as the
// method returns nothing and throws at once. What is beyond a limit is dropped without a word, as natively.
import { waitUntil } from 'cloudflare:workers'

const wrongType = field =>
  new TypeError(
    `Incorrect type for the '${field}' field on 'AnalyticsEngineEvent': the provided value is not of type 'Array'.`,
  )

const list = (event, field, convert) => {
  const value = event[field]
  if (value === undefined) return []
  if (!Array.isArray(value)) throw wrongType(field)
  return Array.from(value, convert)
}

const toBlob = value => {
  if (value === null || value === undefined) return null
  if (value instanceof ArrayBuffer) return new Uint8Array(value.slice(0))
  if (ArrayBuffer.isView(value)) {
    return new Uint8Array(value.buffer.slice(value.byteOffset, value.byteOffset + value.byteLength))
  }
  return `${value}`
}

export const create = dataset => {
  class AnalyticsEngine {
    writeDataPoint(event) {
      if (event !== null && event !== undefined && typeof event !== 'object' && typeof event !== 'function') {
        throw new TypeError(
          "Failed to execute 'writeDataPoint' on 'AnalyticsEngine': parameter 1 is not of type 'AnalyticsEngineEvent'.",
        )
      }
      const given = event ?? {}
      const indexes = list(given, 'indexes', toBlob)
      const doubles = list(given, 'doubles', value => +value)
      const blobs = list(given, 'blobs', toBlob)
      waitUntil(dataset.write({ indexes, doubles, blobs }).catch(() => {}))
    }

    get [Symbol.toStringTag]() {
      return 'AnalyticsEngine'
    }
  }
  return new AnalyticsEngine()
}
