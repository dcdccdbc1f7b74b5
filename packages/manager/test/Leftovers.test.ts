import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { spawn } from "node:child_process"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as Leftovers from "@muster/manager/Leftovers"
import { managerId } from "./support/Fixtures.ts"
import { temporaryDirectory } from "./support/ManagerProcess.ts"

/** A process that would go on for long. */
const sleeper = (env: Record<string, string>, script = "exec sleep 60", ...args: ReadonlyArray<string>) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const child = spawn("/bin/sh", ["-c", script, ...args], { env, stdio: "ignore", detached: true })
      const ended = new Promise<string | null>((resolve) => child.once("exit", (_, signal) => resolve(signal)))
      return { pid: child.pid ?? 0, isAlive: () => child.exitCode === null && child.signalCode === null, ended }
    }),
    ({ isAlive, pid }) => Effect.sync(() => isAlive() && process.kill(-pid, "SIGKILL"))
  )

describe("what an earlier process left", () => {
  it.live("is found by what it carries, and killed; others are left alone", () =>
    Effect.gen(function* () {
      const work = yield* temporaryDirectory
      const ours = [
        yield* sleeper({ MUSTER_WORKER: `${managerId}.3.77` }),
        yield* sleeper({ A: "b", MUSTER_MANAGER_ID: managerId }),
        yield* sleeper({}, "sleep 60; exit", join(work, "worker-0/guardian.sh"))
      ]
      const others = [
        yield* sleeper({ MUSTER_WORKER: `${managerId}0.3.77` }),
        yield* sleeper({}, "sleep 60; exit", join(work, "worker-0/0/exec/file"))
      ]
      assert.isTrue(yield* Leftovers.end(managerId, { work }))
      for (const { ended } of ours) assert.strictEqual(yield* Effect.promise(() => ended), "SIGKILL")
      assert.deepStrictEqual(
        others.map((other) => other.isAlive()),
        [true, true]
      )
    })
  )

  it.live("is not certain to be gone while a group lives that a worker noted", () =>
    Effect.gen(function* () {
      const work = yield* temporaryDirectory
      const hidden = yield* sleeper({})
      mkdirSync(join(work, "worker-0"))
      writeFileSync(join(work, "worker-0/current"), `${hidden.pid}\n`)
      assert.isFalse(yield* Leftovers.end(managerId, { work }, 200))
      assert.isTrue(hidden.isAlive())
      process.kill(hidden.pid, "SIGKILL")
      yield* Effect.promise(() => hidden.ended)
      assert.isTrue(yield* Leftovers.end(managerId, { work }, 2_000))
    })
  )
})
