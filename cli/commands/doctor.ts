import { resolveHostOptions } from '../../host/options.ts'
import { CHECKS, type CheckResult } from '../checks.ts'
import type { Command } from '../command.ts'

/** `skerry doctor`: what would keep the platform from running here, and what to do about it. */
export const doctor: Command = {
  name: 'doctor',
  summary: 'Check this machine: what is wrong, and what to do about it',
  async run({ env, cwd, output }) {
    const options = resolveHostOptions(env, cwd)
    const results: CheckResult[] = []
    for (const check of CHECKS) results.push(await check(options))

    const width = Math.max(...results.map(({ name }) => name.length))
    const lines = results.flatMap(({ name, ok, found, fix }) => {
      const mark = ok ? output.paint('good', 'ok  ') : output.paint('bad', 'fail')
      return [`${mark}  ${name.padEnd(width)}  ${found}`, ...(fix ? [`${' '.repeat(width + 8)}${fix}`] : [])]
    })
    const isWell = results.every(({ ok }) => ok)
    output.result({ ok: isWell, checks: results }, lines)
    return isWell ? 0 : 1
  },
}
