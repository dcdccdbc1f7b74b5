import { spawn } from "node:child_process"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import * as ProcessTree from "../../src/Command/ProcessTree.ts"
import { isAlive } from "../support/Processes.ts"
import { until } from "../support/Until.ts"

const mark = () => `MUSTER_TEST_MARK=${Math.random()}`

/** A process with these assignments in its environment, which has printed its first line. Ended with the scope. */
const start = (assignments: ReadonlyArray<string>, script = "echo; exec sleep 60", detached = true) =>
  Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      const env = Object.fromEntries(assignments.map((text) => text.split("=") as [string, string])) // two parts each
      const child = spawn("/bin/sh", ["-c", script], {
        env: { PATH: "/usr/bin:/bin", ...env },
        detached,
        stdio: ["ignore", "pipe", "ignore"]
      })
      child.stdout?.once("data", () => resume(Effect.succeed(child.pid ?? 0)))
    }),
    (pid) => Effect.sync(() => ProcessTree.signal(pid, "SIGKILL"))
  )

describe("ProcessTree", () => {
  it.live("finds by environment only what has every assignment in full", () =>
    Effect.gen(function* () {
      const [one, two] = [mark(), "MUSTER_TEST_NUMBER=1"]
      const both = yield* start([one, two])
      yield* start([one])
      yield* start([`${one}2`, two])
      yield* start([`X${one}`, two])
      assert.deepStrictEqual(ProcessTree.find({ variables: [one, two] }), [both])
      assert.deepStrictEqual(ProcessTree.find({ variables: [one, two], except: [both] }), [])
      assert.deepStrictEqual(ProcessTree.find({ variables: [] }), [])
    })
  )

  it.live("finds the members of a session, also those of other groups in it", () =>
    Effect.gen(function* () {
      const leader = yield* start([], "echo; set -m 2>/dev/null; sleep 60 & sleep 60 & wait")
      yield* until("its children", () => ProcessTree.find({ leader, variables: [] }).length === 3)
    })
  )

  it.live("does not count what has ended, waited for or not", () =>
    Effect.gen(function* () {
      const assignment = mark()
      const pid = yield* start([assignment], "echo; sleep 0.01 & exec sleep 60")
      yield* until("the end of its child", () => ProcessTree.find({ leader: pid, variables: [] }).length === 1)
    })
  )

  it.live("gives a process the time to end before it kills it", () =>
    Effect.gen(function* () {
      const assignment = mark()
      const polite = yield* start([assignment])
      const deaf = yield* start([assignment], "trap '' TERM; echo; while :; do sleep 0.01; done")
      const ending = yield* Effect.forkChild(ProcessTree.end({ variables: [assignment] }, 200))
      yield* until("the end of the first", () => !isAlive(polite))
      assert.isTrue(isAlive(deaf))
      const before = performance.now()
      yield* until("the end of the second", () => !isAlive(deaf))
      assert.isAtLeast(performance.now() - before, 50)
      assert.isTrue(yield* Fiber.join(ending))
    })
  )

  it.live("waits for nothing when there is nothing", () =>
    Effect.gen(function* () {
      assert.isTrue(yield* ProcessTree.end({ variables: [mark()] }, 60_000))
      assert.isTrue(yield* ProcessTree.kill({ variables: [mark()] }))
    })
  )
})
