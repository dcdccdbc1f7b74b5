/**
 * `npm run chaos -- --seed N --minutes M`: a Muster of real processes under faults. Prints what it does, and one JSON line
 * at the end; ends with 1 if anything was wrong. `docs/reliability.md` says what is done and what is checked.
 */
import { spawnSync } from "node:child_process"
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { NodeRuntime } from "@effect/platform-node"
import { Effect } from "effect"
import * as Clocks from "./Clocks.ts"
import * as Run from "./Run.ts"
import type { Shape } from "./Schedule.ts"
import * as SmallDisk from "./SmallDisk.ts"
import * as Timeline from "./Timeline.ts"

const { values: flags } = parseArgs({
  options: {
    seed: { type: "string" },
    minutes: { type: "string", default: "2" },
    keep: { type: "boolean", default: false }
  }
})

const seed = flags.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(flags.seed)
const minutes = Number(flags.minutes)

const program = Effect.gen(function* () {
  const home = mkdtempSync(join(tmpdir(), "muster-chaos-"))
  // Postgres may run as somebody else.
  chmodSync(home, 0o755)
  const timeline = Timeline.make(home)
  timeline.say(`seed ${seed}, ${minutes} minutes, in ${home}`)
  const disk = process.env[SmallDisk.privateMounts] === undefined ? undefined : SmallDisk.make(join(home, "disk"))
  if (disk === undefined) timeline.say("skipped  full disks: this user may not mount a small file system")
  if (Clocks.missing !== undefined) timeline.say(`skipped  jumping clocks: ${Clocks.missing}`)
  const shape: Shape = {
    coordinators: 3,
    managers: 4,
    workers: 2,
    smallDisk: disk === undefined ? undefined : 2,
    movableClocks: Clocks.missing === undefined ? { coordinator: 3, manager: 4 } : undefined
  }
  const report = yield* Effect.scoped(Run.run({ seed, minutes, home, shape, disk, timeline }))
  disk?.close()
  const violations = timeline.violations()
  for (const violation of violations) console.error(`chaos: ${violation}`)
  if (violations.length > 0 || flags.keep) {
    process.exitCode = violations.length > 0 ? 1 : 0
    console.error(`chaos: its directory is kept: ${home}`)
  } else {
    rmSync(home, { recursive: true, force: true })
  }
  console.log(JSON.stringify(report))
})

const isNumber = (value: number) => Number.isFinite(value) && value > 0

if (!Number.isInteger(seed) || seed < 0 || !isNumber(minutes)) {
  console.error("chaos: --seed must be a whole number from 0 on, --minutes a number above 0")
  process.exitCode = 2
} else {
  const prefix = process.env[SmallDisk.privateMounts] === undefined ? SmallDisk.prefix() : undefined
  const [wrapper, ...args] = prefix ?? []
  if (wrapper === undefined) NodeRuntime.runMain(program)
  else {
    // Once more, with mounts of its own and the seed that was drawn.
    const { signal, status } = spawnSync(
      wrapper,
      [
        ...args,
        process.execPath,
        ...process.execArgv,
        import.meta.filename,
        "--seed",
        String(seed),
        "--minutes",
        String(minutes),
        ...(flags.keep ? ["--keep"] : [])
      ],
      { stdio: "inherit", env: { ...process.env, [SmallDisk.privateMounts]: "1" } }
    )
    process.exitCode = signal === null ? (status ?? 1) : 1
  }
}
