// By hand: node test/e2e/crash-long.ts [kills, default 100] [seed] [processes, 1 or 3, default 3]
import { crash } from './support/crash.ts'

const kills = Number(process.argv[2] ?? 100)
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000)
const processes = Number(process.argv[4] ?? 3)
console.log(`${kills} kills, seed ${seed}, ${processes} processes`)
const { violations, late, ...report } = await crash({
  kills,
  seed,
  processes,
  log: line => console.log(line),
})
console.log(JSON.stringify(report, null, 2))
for (const line of late) console.log(`LATE ${line}`)
for (const violation of violations) console.log(`VIOLATION ${violation}`)
console.log(`${late.length} late, ${violations.length} violations`)
process.exitCode = violations.length === 0 ? 0 : 1
