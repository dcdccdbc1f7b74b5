/**
 * Coordinators that are frozen or killed, all of them too, while tasks run on a lease. Takes a minute and a half, so it is
 * run by `npm run test:slow` only.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import * as Alive from "./support/Alive.ts"
import * as Link from "./support/Link.ts"
import * as Notes from "./support/Notes.ts"
import * as System from "./support/System.ts"
import * as Wait from "./support/Wait.ts"

const livesOf = (notes: string, name: string) => Effect.sync(() => Alive.lives(notes, name))

describe("a suite that stops what is cut off", () => {
  it.live("has no task twice at a time when coordinators sleep through a takeover and wake", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinators = [yield* system.coordinator(), yield* system.coordinator()]
      const urls = coordinators.map(({ url }) => url)
      // Each speaks to another one first, so that whichever sleeps, one of them is cut off by it.
      yield* system.manager({ urls, workers: 1 })
      yield* system.manager({ urls: urls.toReversed(), workers: 1 })
      const client = yield* system.client(urls)
      const suite = yield* client.createSuite({ onDisconnect: "stop", leaseDuration: 5_000, defaults: { grace: 200 } })
      const names = ["a", "b"]
      yield* client.submit(
        suite.id,
        names.map((name) => Alive.task(notes, name))
      )
      for (const name of names) yield* Wait.until(`${name} runs`, livesOf(notes, name), (lives) => lives.length > 0)
      for (const sleeper of coordinators) {
        const before = names.map((name) => Alive.lives(notes, name).length)
        yield* sleeper.kill("SIGSTOP")
        yield* Wait.until(
          "a task runs again",
          Effect.sync(() => names.some((name, place) => Alive.lives(notes, name).length > (before[place] ?? 0))),
          (again) => again,
          60_000
        )
        yield* sleeper.kill("SIGCONT")
        yield* Wait.until(
          "both managers are back",
          Stream.runCollect(client.listManagers()),
          (managers) => managers.filter(({ state }) => state !== "offline").length === 2
        )
      }
      Alive.letEnd(notes)
      // What began before will not end by itself.
      yield* Effect.forEach(coordinators, ({ kill }) => kill("SIGKILL"))
      yield* Wait.until(
        "the tasks that do not end are ended",
        Effect.sync(() => names.map((name) => Alive.lives(notes, name).at(-1)?.to ?? 0)),
        (last) => last.every((at) => Alive.now() - at > 1),
        60_000
      )
      for (const { port } of coordinators) yield* system.coordinator({ port })
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total: 2, succeeded: 2 })
      for (const name of names) Alive.assertApart(Alive.lives(notes, name))
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), 2)
    })
  )

  it.live("runs on across an outage of all coordinators that is shorter than its lease", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinators = [yield* system.coordinator(), yield* system.coordinator()]
      const urls = coordinators.map(({ url }) => url)
      yield* system.manager({ urls, workers: 2 })
      const client = yield* system.client(urls)
      const suite = yield* client.createSuite({ onDisconnect: "stop", leaseDuration: 40_000 })
      const names = ["a", "b"]
      yield* client.submit(
        suite.id,
        names.map((name) => Alive.untilTold(notes, name))
      )
      for (const name of names) yield* Wait.until(`${name} runs`, livesOf(notes, name), (lives) => lives.length > 0)
      for (const coordinator of coordinators) {
        yield* coordinator.kill("SIGKILL")
        yield* coordinator.exited
      }
      for (const { port } of coordinators) yield* system.coordinator({ port })
      yield* Wait.until("the manager is back", Stream.runCollect(client.listManagers()), (managers) =>
        managers.some(({ state }) => state === "executing")
      )
      Alive.letEnd(notes)
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total: 2, succeeded: 2 })
      for (const name of names) assert.lengthOf(Alive.lives(notes, name), 1)
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), 2)
    })
  )
})

describe("a suite that keeps what is cut off", () => {
  it.live("lets a task go on alone, and records one outcome of it", () =>
    Effect.gen(function* () {
      const system = yield* System.make
      const notes = yield* Notes.workspace
      const coordinator = yield* system.coordinator({
        env: { MUSTER_MANAGER_SILENT_AFTER: "1500ms", MUSTER_MANAGER_LOST_AFTER: "3s" }
      })
      const link = yield* Link.make(coordinator.port)
      yield* system.manager({ urls: [link.url], workers: 1 })
      const client = yield* system.client(coordinator.url)
      const suite = yield* client.createSuite({ onDisconnect: "keep" })
      yield* client.submit(suite.id, [Alive.untilTold(notes, "a")])
      yield* Wait.until("a runs", livesOf(notes, "a"), (lives) => lives.length === 1)
      yield* link.cut
      yield* system.manager({ urls: [coordinator.url], workers: 1 })
      const [first, second] = yield* Wait.until(
        "it runs twice",
        livesOf(notes, "a"),
        (lives) => lives.length === 2,
        60_000
      )
      yield* Wait.until("both run at the same time", livesOf(notes, "a"), (lives) =>
        lives.some(({ pid, to }) => pid === first?.pid && to > (second?.from ?? Infinity))
      )
      Alive.letEnd(notes)
      yield* link.heal
      const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
      assert.deepInclude(done.tasks, { total: 1, succeeded: 1 })
      Notes.assertEachOnce(yield* Notes.outcomes(client, suite.id), 1)
    })
  )
})
