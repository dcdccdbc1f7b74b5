/**
 * `npm run simulate`: many runs, each from a seed of its own, until one goes wrong or all have gone well.
 */
import { parseArgs } from "node:util"
import * as Simulation from "./support/Simulation.ts"

const { values: flags } = parseArgs({
  options: {
    schedules: { type: "string", default: "1000" },
    seed: { type: "string" },
    verbose: { type: "boolean", default: false }
  }
})
const say = (line: string) => process.stdout.write(`${line}\n`)
const first = flags.seed === undefined ? Math.floor(Math.random() * 1_000_000_000) : Number(flags.seed)
const count = flags.seed === undefined || process.argv.includes("--schedules") ? Number(flags.schedules) : 1
const began = performance.now()
let failed = 0
let events = 0
let virtual = 0
for (let seed = first; seed < first + count; seed++) {
  const result = Simulation.run(seed, flags.verbose ? { tell: say } : {})
  events += result.events
  virtual += result.virtualTime
  if (flags.verbose || result.violations.length > 0) say(JSON.stringify({ ...result, violations: result.violations.slice(0, 5) }, null, 1))
  if (result.violations.length > 0) failed++
}
const seconds = (performance.now() - began) / 1_000
say(`${count} schedules, ${failed} failed, ${seconds.toFixed(1)} s, ${((count / seconds) * 60).toFixed(0)} a minute, ${events} events, ${(virtual / 3_600_000).toFixed(1)} virtual hours`)
