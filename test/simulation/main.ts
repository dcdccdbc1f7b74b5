/**
 * `npm run simulate`: runs from one seed after the other. Each one that goes wrong is named with what is wrong and how to
 * see it again, step by step.
 *
 *     npm run simulate -- --schedules 10000 [--seed N]   N is the first seed; without it, one is drawn and printed
 *     npm run simulate -- --seed N --verbose             one run with all that happens in it
 */
import { parseArgs } from "node:util"
import * as Plan from "./support/Plan.ts"
import { planted } from "./support/Planted.ts"
import * as Simulation from "./support/Simulation.ts"

const { values: flags } = parseArgs({
  options: {
    schedules: { type: "string" },
    seed: { type: "string" },
    verbose: { type: "boolean", default: false },
    /** With `verbose`: what goes over the network, too. */
    frames: { type: "boolean", default: false },
    /** So much goes wrong, and so much is asked, in each run; as the seed says without it. */
    usual: { type: "boolean", default: false },
    /** A bug to be found. */
    plant: { type: "string" }
  }
})

/** What "a schedule" means where its cost is stated. */
const usual: Plan.Size = { coordinators: 2, managers: 3, suites: 2, tasks: 30, faults: 5 }

/** Violations that are shown of one run. */
const shown = 5

/** Runs that may fail before it is enough. */
const enough = flags.plant === undefined ? 10 : 1

const say = (line: string) => process.stdout.write(`${line}\n`)

const number = (text: string, name: string): number => {
  const value = Number(text)
  if (Number.isSafeInteger(value) && value >= 0) return value
  process.stderr.write(`--${name} is ${JSON.stringify(text)}; allowed: a whole number from 0\n`)
  process.exit(2)
}

const first = flags.seed === undefined ? Math.floor(Math.random() * 1e9) : number(flags.seed, "seed")
const count =
  flags.schedules === undefined ? (flags.seed === undefined ? 1_000 : 1) : number(flags.schedules, "schedules")

const plant = planted.find((name) => name === flags.plant)
if (flags.plant !== undefined && plant === undefined) {
  process.stderr.write(`--plant is ${JSON.stringify(flags.plant)}; allowed: ${planted.join(", ")}\n`)
  process.exit(2)
}

const options: Simulation.Options = {
  plant,
  ...(flags.usual ? { size: usual } : {}),
  ...(flags.verbose ? { tell: say, frames: flags.frames } : {})
}

if (flags.verbose) {
  const plan = Plan.make(first, options.size)
  say(`${plan.coordinators.length} coordinators, ${plan.managers.length} managers, ${plan.suites.length} suites`)
} else say(`${count} schedules from seed ${first} on`)

const began = process.cpuUsage()
const since = performance.now()
const total = { schedules: 0, failed: 0, events: 0, tasks: 0, faults: 0, virtual: 0 }
for (let seed = first; seed < first + count && total.failed < enough; seed++) {
  const result = Simulation.run(seed, options)
  total.schedules++
  total.events += result.events
  total.tasks += result.tasks
  total.faults += result.faults
  total.virtual += result.virtualTime
  if (result.violations.length > 0) {
    total.failed++
    say(
      `seed ${seed} goes wrong; see it with: npm run simulate -- --seed ${seed} --verbose${flags.usual ? " --usual" : ""}`
    )
    for (const { rule, what } of result.violations.slice(0, shown)) say(`  not so: "${rule}": ${what}`)
    if (result.violations.length > shown) say(`  and ${result.violations.length - shown} more`)
  }
}
const seconds = (performance.now() - since) / 1_000
const { system, user } = process.cpuUsage(began)
const cpu = (system + user) / 1e6
say(
  `${total.schedules} schedules, ${total.failed} went wrong; ${total.tasks} tasks, ${total.faults} faults, ` +
    `${total.events} events, ${(total.virtual / 3_600_000).toFixed(1)} virtual hours in ${seconds.toFixed(1)} s ` +
    `(${cpu.toFixed(1)} s of processor): ${((total.schedules / cpu) * 60).toFixed(0)} schedules a minute of one processor`
)
process.exitCode = total.failed > 0 ? 1 : 0
