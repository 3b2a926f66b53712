import { WorkerEntrypoint } from 'cloudflare:workers'
import type { EdgeEnv } from '../../src/env.ts'
import { planFor } from './plan.ts'
import { respond } from './respond.ts'
import { readSite } from './site.ts'

/** Whose files a binding gives. Set by the platform only. */
export interface AssetsProps {
  /** The digest of the version's document; empty = it has none. */
  readonly assets: string
}

/** The assets binding: `env.ASSETS.fetch()` answers as requests from outside are answered that no Worker gets. */
export class AssetsEntrypoint extends WorkerEntrypoint<EdgeEnv, AssetsProps> {
  override async fetch(request: Request): Promise<Response> {
    const { assets } = this.ctx.props
    if (assets === '') throw new Error('This version of the Worker has no static assets.')
    const site = await readSite(this.env.CODE, assets)
    return respond(planFor(site, request.url, true), request, { code: this.env.CODE, mayCode: false })
  }
}
