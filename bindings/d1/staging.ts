/**
 * Files that wait to be imported: each in an object of its own, named `<account>/<database's object>/import/<MD5>`,
 * which removes itself after an hour.
 */

/** Takes a file in, whole or not at all, if its MD5 is the one announced. */
export async function stage(storage: DurableObjectStorage, request: Request, md5: string): Promise<Response> {
  await storage.setAlarm(Date.now() + KEPT_MS)
  storage.sql.exec('CREATE TABLE IF NOT EXISTS chunks (n INTEGER PRIMARY KEY, bytes BLOB NOT NULL)')
  storage.sql.exec('CREATE TABLE IF NOT EXISTS file (md5 TEXT NOT NULL)')
  storage.sql.exec('DELETE FROM file')
  storage.sql.exec('DELETE FROM chunks')
  const digest = new crypto.DigestStream('MD5')
  const writer = digest.getWriter()
  const add = async (bytes: Uint8Array) => {
    storage.sql.exec('INSERT INTO chunks (bytes) VALUES (?)', new Uint8Array(bytes).buffer)
    await writer.write(bytes)
  }
  const chunk = new Uint8Array(CHUNK_BYTES)
  let filled = 0
  for await (const piece of request.body ?? []) {
    for (let at = 0; at < piece.length; ) {
      const part = piece.subarray(at, at + CHUNK_BYTES - filled)
      chunk.set(part, filled)
      filled += part.length
      at += part.length
      if (filled < CHUNK_BYTES) continue
      await add(chunk)
      filled = 0
    }
  }
  if (filled > 0) await add(chunk.subarray(0, filled))
  await writer.close()
  const found = new Uint8Array(await digest.digest).toHex()
  if (found !== md5) {
    await storage.deleteAll()
    throw new Error(`The file's MD5 is ${found}; announced was ${md5}. Upload it again.`)
  }
  storage.sql.exec('INSERT INTO file VALUES (?)', md5)
  await storage.sync()
  return Response.json({ success: true, md5 }, { headers: { etag: `"${md5}"` } })
}

/** The file that was taken in. @throws Error if there is none */
export function readStaged(storage: DurableObjectStorage): Response {
  const { sql } = storage
  const has = sql.exec("SELECT 1 FROM sqlite_schema WHERE name = 'file'").toArray().length > 0
  if (!has || sql.exec('SELECT 1 FROM file').toArray().length === 0) {
    throw new Error('The file has not been uploaded, or more than an hour ago. Upload it again.')
  }
  let n = 1
  const body = new ReadableStream({
    type: 'bytes',
    pull: (controller: ReadableByteStreamController) => {
      const [chunk] = sql.exec<{ bytes: ArrayBuffer }>('SELECT bytes FROM chunks WHERE n = ?', n++).toArray()
      if (chunk) controller.enqueue(new Uint8Array(chunk.bytes))
      else controller.close()
    },
  })
  return new Response(body)
}

const KEPT_MS = 3_600_000
const CHUNK_BYTES = 512 * 1024
