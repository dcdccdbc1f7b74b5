/**
 * Machines that are cut off, and processes that are frozen: a suite that asks for `--on-disconnect stop` never has a task
 * running twice at the same time, by the account of the tasks themselves.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Alive from "./support/Alive.ts"
import * as Link from "./support/Link.ts"
import * as Notes from "./support/Notes.ts"
import * as Process from "./support/Process.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

const leaseDuration = 5_000

const livesOf = (notes: string, name: string) => Effect.sync(() => Alive.lives(notes, name))

describe("a suite that stops what is cut off", () => {
  it.live("hands a task on when it has ended, whatever does not answer any more", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinator = yield* system.coordinator()
      const link = yield* Link.make(coordinator.port)
      const client = yield* system.client(coordinator.url)
      const faults = ["cut", "manager", "worker"]
      const machines = yield* Effect.forEach(faults, (fault) =>
        system.manager({
          urls: [fault === "cut" ? link.url : coordinator.url],
          workers: 1,
          tags: [fault],
          name: fault
        })
      )
      const suites = yield* Effect.forEach(faults, (fault) =>
        client.createSuite({
          name: fault,
          tags: [fault],
          onDisconnect: "stop",
          leaseDuration,
          defaults: { grace: 200 }
        })
      )
      for (const [place, fault] of faults.entries()) {
        yield* client.submit(suites[place]?.id ?? ("" as never), [Alive.task(notes, fault)])
      }
      for (const fault of faults) yield* Wait.until(`${fault} runs`, livesOf(notes, fault), (lives) => lives.length > 0)
      Alive.letEnd(notes)
      // The worker before its manager: a manager that runs would notice.
      const [, frozen, both] = machines
      const workers = yield* Stream.runCollect(client.listWorkers())
      const managers = yield* Stream.runCollect(client.listManagers())
      const bothId = managers.find(({ name }) => name === "worker")?.id
      const worker = workers.find(({ managerId }) => managerId === bothId)
      assert.isDefined(worker)
      yield* link.cut
      if (frozen !== undefined) yield* frozen.kill("SIGSTOP")
      if (both !== undefined) yield* both.kill("SIGSTOP")
      process.kill(worker?.pid ?? 0, "SIGSTOP")
      yield* system.manager({ urls: [coordinator.url], workers: 1, tags: faults, name: "other" })
      for (const [place, fault] of faults.entries()) {
        const suiteId = suites[place]?.id
        if (suiteId === undefined) continue
        const done = yield* client.wait(suiteId, { timeout: "40 seconds" })
        assert.deepInclude(done.tasks, { total: 1, succeeded: 1 })
        const lives = Alive.lives(notes, fault)
        assert.isAtLeast(lives.length, 2)
        assert.notStrictEqual(lives.at(-1)?.manager, lives[0]?.manager)
        yield* Effect.logInfo(`${fault}: ${((lives.at(-1)?.from ?? 0) - (lives.at(-2)?.to ?? 0)).toFixed(2)} s apart`)
        Alive.assertApart(lives)
      }
      // Who wakes learns that its session is over and begins another one.
      if (frozen !== undefined) yield* frozen.kill("SIGCONT")
      yield* Wait.until("the frozen manager is back", Stream.runCollect(client.listManagers()), (all) =>
        all.some(({ epoch, name, state }) => name === "manager" && epoch === 2 && state === "idle")
      )
      for (const suite of suites) Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), 1)
      for (const fault of faults) assert.isFalse(Process.isAlive(Alive.lives(notes, fault)[0]?.pid ?? 0))
    })
  )
})
