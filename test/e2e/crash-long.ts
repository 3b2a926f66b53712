// By hand: node test/e2e/crash-long.ts [kills, default 100] [seed]
import { crash } from './support/crash.ts'

const kills = Number(process.argv[2] ?? 100)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
console.log(`${kills} kills, seed ${seed}`)
const { violations, ...report } = await crash({ kills, seed, log: line => console.log(line) })
console.log(JSON.stringify(report, null, 2))
for (const violation of violations) console.log(`VIOLATION ${violation}`)
console.log(`${violations.length} violations`)
process.exitCode = violations.length === 0 ? 0 : 1
