import { join } from 'node:path'
import { startCommand } from './command.ts'
import { request, type SendInit } from './http.ts'

/** A Worker under plain `wrangler dev`: no platform has a hand in it. */
export interface DevWorker {
  /** Asks it, from this machine. */
  fetch(path: string, init?: SendInit): Promise<Response>
  readonly url: string
  /** What wrangler printed so far. */
  log(): string
  /** As Ctrl-C does; what it stored stays in the project. */
  stop(): Promise<void>
}

const WRANGLER = join(import.meta.dirname, '../../../node_modules/wrangler/bin/wrangler.js')

/** Starts the project of a directory on free ports of loopback. */
export async function startWranglerDev(dir: string): Promise<DevWorker> {
  const args = ['dev', '--ip', '127.0.0.1', '--port', '0', '--inspector-port', '0']
  const wrangler = startCommand(WRANGLER, args, {}, { cwd: dir })
  await wrangler.until(READY)
  const [, url = '', port] = READY.exec(wrangler.stdout()) ?? []
  return {
    url,
    fetch: (path, init = {}) => request(Number(port), new URL(url).host, path, init),
    log: () => wrangler.stdout(),
    stop: async () => {
      wrangler.kill('SIGINT')
      await wrangler.finished
    },
  }
}

const READY = /Ready on (http:\/\/[^\s:]+:(\d+))/
