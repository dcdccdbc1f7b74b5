/**
 * `npm run fuzz -- [--cases N] [--seed N] [--only TARGET] [--exact]`: bad input of all kinds for everything that reads
 * any. Prints what was tried, and for a case that failed the command that tries it again.
 */
import { parseArgs } from "node:util"
import { Effect, Exit } from "effect"
import * as Fuzz from "./Fuzz.ts"
import { targets } from "./targets/All.ts"

const { values } = parseArgs({
  options: {
    cases: { type: "string", default: "100000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000_000)) },
    only: { type: "string" }
  }
})

const say = (line: string) => process.stdout.write(`${line}\n`)
const mebibytes = (bytes: number) => (bytes / 1024 ** 2).toFixed(1)

const cases = Number(values.cases)
const seed = Number(values.seed)
const chosen = targets.filter(({ name }) => values.only === undefined || values.only.split(",").includes(name))
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(seed) || chosen.length === 0) {
  process.stderr.write(
    `fuzz: --cases and --seed are whole numbers, --only is one of: ${targets.map(({ name }) => name).join(", ")}\n`
  )
  process.exit(2)
}

const weight = chosen.reduce((sum, target) => sum + target.weight, 0)
say(`fuzz: ${cases} cases from seed ${seed}`)
let failures = 0
let tried = 0
const began = performance.now()
for (const target of chosen) {
  const share = Math.ceil((cases * target.weight) / weight)
  const exit = await Effect.runPromiseExit(
    Fuzz.feed(target, share, seed, (done) => {
      if (process.stderr.isTTY) process.stderr.write(`\r${target.name}: ${done} of ${share}\u001b[K\r`)
    })
  )
  if (Exit.isSuccess(exit)) {
    const { memory, seconds } = exit.value
    tried += share
    const perSecond = Math.round(share / seconds)
    say(
      `${target.name.padEnd(14)} ${String(share).padStart(7)} cases in ${seconds.toFixed(1)} s (${perSecond}/s), ` +
        `memory ${mebibytes(memory[0])} to ${mebibytes(memory[1])} MiB: ${target.what}`
    )
    continue
  }
  failures++
  for (const reason of exit.cause.reasons) {
    if (reason._tag !== "Fail") {
      say(`${target.name} FAILED: ${String(reason)}`)
      continue
    }
    say(`${target.name} FAILED with seed ${reason.error.seed}: ${reason.error.reason}`)
    say(`  again: npm run fuzz -- --only ${target.name} --seed ${reason.error.seed} --cases 1`)
  }
}
say(`fuzz: ${tried} cases in ${((performance.now() - began) / 1000).toFixed(0)} s, ${failures} targets failed`)
process.exit(failures > 0 ? 1 : 0)
