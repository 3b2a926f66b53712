// By hand: node test/e2e/queue-stress.ts [messages, default 20000] [kills, default 5] [seed]
import { stress } from './support/queue-stress.ts'

const messages = Number(process.argv[2] ?? 20_000)
const kills = Number(process.argv[3] ?? 5)
const seed = Number(process.argv[4] ?? Date.now() % 1_000_000)
console.log(`${messages} messages, ${kills} kills, seed ${seed}`)
const { violations, ...report } = await stress({ messages, kills, seed, log: line => console.log(line) })
console.log(JSON.stringify(report, null, 2))
for (const violation of violations.slice(0, 50)) console.log(`VIOLATION ${violation}`)
console.log(`${violations.length} violations`)
process.exitCode = violations.length === 0 ? 0 : 1
