// By hand: node test/e2e/soak-10k.ts [minutes, default 5] [scripts, default 10000] [called, default half] [seed]
//
// Scripts are deployed through the API, as wrangler would call it: ten thousand wranglers would take hours.
import { soak } from './support/soak.ts'

const [minutes = 5, scripts = 10_000, called = Math.ceil(scripts / 2), seed = Date.now() % 1_000_000] =
  process.argv.slice(2).map(Number)
console.log(`${scripts} scripts, ${called} of them called for ${minutes} minutes, seed ${seed}`)
const { violations, ...report } = await soak({
  minutes,
  scripts,
  called,
  seed,
  log: line => console.log(line),
})
console.log(JSON.stringify(report, null, 2))
for (const violation of violations) console.log(`VIOLATION ${violation}`)
process.exitCode = violations.length === 0 ? 0 : 1
