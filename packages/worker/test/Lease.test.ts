/**
 * The end of a lease in real worker processes: in good order where they can, with the process where they cannot.
 */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import type { Deadline } from "@muster/domain/Lease"
import type { TaskSpec } from "@muster/domain/Task"
import * as BootClock from "../src/BootClock.ts"
import { isAlive } from "./support/Processes.ts"
import * as TestManager from "./support/TestManager.ts"
import { suiteId } from "./support/TestManager.ts"
import { until } from "./support/Until.ts"

const handlers = fileURLToPath(new URL("support/handlers.ts", import.meta.url))

const sh = (script: string): TaskSpec => ({ program: "/bin/sh", args: ["-c", script] })

/** A lease that ends in so many milliseconds. */
const endingIn = (millis: number): Deadline => {
  const kill = BootClock.now() + millis
  return { begin: kill - 600, term: kill - 500, kill }
}

/** Long enough for a task to begin on a busy machine: later than 600 ms before the end it must not. Milliseconds. */
const leaseLeft = 3_000

/** A worker that runs a task of a suite on a lease which is about to end. */
const running = Effect.fnUntraced(function* (makeSpec: (directory: string) => TaskSpec, millis: number) {
  const manager = yield* TestManager.make
  const worker = yield* manager.start({ env: { MUSTER_HANDLERS: handlers } })
  yield* manager.attached
  const deadline = endingIn(millis)
  yield* manager.tell({ _tag: "UseSuite", suiteId, defaults: {}, deadline })
  yield* manager.add([makeSpec(manager.directory)])
  return { manager, worker, deadline }
})

const pidIn = (path: string) =>
  Effect.map(
    until(`a process id in ${path}`, () => existsSync(path) && readFileSync(path, "utf8").endsWith("\n")),
    () => Number(readFileSync(path, "utf8"))
  )

describe("a worker whose suite's lease ends", () => {
  it.live("ends what runs with TERM, says why, and goes on when it is renewed", () =>
    Effect.gen(function* () {
      const script = "trap 'echo bye; exit 0' TERM; while :; do sleep 0.01; done"
      const { deadline, manager, worker } = yield* running(() => sh(script), leaseLeft)
      const result = yield* manager.result(0)
      assert.deepInclude(result, { outcome: "lease_lost", stdout: "bye\n" })
      assert.include(result.message ?? "", "cut off")
      assert.isBelow(BootClock.now(), deadline.kill)
      // Neither it nor who watches it does anything more: nothing runs on.
      yield* until("the end of the lease and more", () => BootClock.now() > deadline.kill + 300)
      yield* manager.add([sh("exit 3")], { from: 1 })
      yield* manager.tell({ _tag: "Renewed", suiteId, deadline: endingIn(60_000) })
      assert.deepInclude(yield* manager.result(1), { outcome: "failed", exitCode: 3 })
      assert.isTrue(isAlive(worker.pid))
    })
  )

  it.live("is killed with all that it runs by what starts its commands when it is frozen", () =>
    Effect.gen(function* () {
      const script = (directory: string) =>
        sh(`setsid sh -c 'echo $$ > ${directory}/away; exec sleep 60' & echo $$ > ${directory}/task; sleep 60`)
      const { deadline, manager, worker } = yield* running(script, leaseLeft)
      const [task, away] = [
        yield* pidIn(join(manager.directory, "task")),
        yield* pidIn(join(manager.directory, "away"))
      ]
      worker.kill("SIGSTOP")
      assert.deepStrictEqual(yield* worker.exited, { exitCode: null, signal: "SIGKILL" })
      const late = BootClock.now() - deadline.kill
      assert.isAtLeast(late, 0)
      yield* worker.gone
      assert.isFalse(isAlive(task) || isAlive(away))
    })
  )

  it.live("is killed by what starts commands when a handler blocks it", () =>
    Effect.gen(function* () {
      const { deadline, worker } = yield* running(() => ({ handler: "blocks" }), leaseLeft)
      assert.deepStrictEqual(yield* worker.exited, { exitCode: null, signal: "SIGKILL" })
      assert.isAtLeast(BootClock.now(), deadline.kill)
      yield* worker.gone
    })
  )

  it.live("ends itself when a handler does not heed its interruption", () =>
    Effect.gen(function* () {
      const { deadline, manager, worker } = yield* running(() => ({ handler: "stubborn" }), leaseLeft)
      assert.deepStrictEqual(yield* worker.exited, { exitCode: 76, signal: null })
      assert.isAtLeast(BootClock.now(), deadline.kill)
      assert.strictEqual(manager.results.size, 0)
    })
  )
})
