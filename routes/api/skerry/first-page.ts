import type { Context } from 'hono'
import type { Api } from '../context.ts'

/** The apex's page for browsers. */
export function respondFirstPage(c: Context<Api>): Response {
  return c.html('<!doctype html><title>Skerry</title><h1>Skerry</h1>')
}
