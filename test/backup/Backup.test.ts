/**
 * Backup and restore under load, as docs/backup.md describes them: what was accepted before the backup is there after the
 * restore, and managers that have gone on since then, with sessions and results that the restored log does not know, go on
 * with it. Needs Debian's Postgres, which has the tools; without it the tests say so and are skipped.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted, Ref, Stream } from "effect"
import type { Scope } from "effect"
import { join } from "node:path"
import type { MusterClient } from "@muster/client/MusterClient"
import type { SuiteId } from "@muster/domain/Suite/Id"
import * as Database from "@muster/server/Database"
import * as PgEventStore from "@muster/server/PgEventStore"
import * as Inline from "@muster/server/Projections/Inline"
import * as Rebuild from "@muster/server/Rebuild"
import * as Process from "../e2e/support/Process.ts"
import * as System from "../e2e/support/System.ts"
import * as Wait from "../e2e/support/Wait.ts"
import * as DebianPostgres from "./support/DebianPostgres.ts"

type Client = MusterClient["Service"]

const task = { program: "/bin/sh", args: ["-c", "sleep 0.05; echo done"] }

/** Submits small batches without end. `accepted`: tasks that were answered for. */
const load = Effect.fnUntraced(function* (client: Client, id: SuiteId) {
  const accepted = yield* Ref.make(0)
  const fiber = yield* client
    .submit(
      id,
      Array.from({ length: 10 }, () => task)
    )
    .pipe(
      Effect.andThen(Ref.update(accepted, (count) => count + 10)),
      Effect.andThen(Effect.sleep("20 millis")),
      Effect.forever,
      Effect.forkScoped
    )
  return { accepted: Ref.get(accepted), stop: Fiber.interrupt(fiber) }
})

/** Every row is what the events say, counters included. */
const differences = (url: string) =>
  Effect.forEach(Inline.projections, Rebuild.check).pipe(
    Effect.map((checks) => checks.flatMap(({ tables }) => tables).reduce((sum, { differing }) => sum + differing, 0)),
    Effect.provide(
      Layer.provideMerge(
        PgEventStore.layer,
        Database.layer({ ...Database.defaults, url: Redacted.make(url.replace("localhost", "127.0.0.1")) })
      )
    ),
    Effect.orDie
  )

interface Backup {
  /** Takes the backup of a server that is under load, into a directory. */
  readonly take: (server: DebianPostgres.Server, directory: string) => Effect.Effect<void>
  /** Makes another server of it. */
  readonly restore: (directory: string, socket: string) => Effect.Effect<DebianPostgres.Server, never, Scope.Scope>
}

const dump: Backup = {
  take: (server, directory) =>
    Effect.asVoid(DebianPostgres.run("pg_dump", ["-Fc", "-d", server.url, "-f", join(directory, "muster.dump")])),
  restore: (directory, socket) =>
    Effect.gen(function* () {
      // A new server, whose numbers of transactions begin again.
      const data = yield* DebianPostgres.directory(join(directory, "restored"))
      yield* DebianPostgres.init(data)
      const server = yield* DebianPostgres.start(data, socket)
      yield* DebianPostgres.run("pg_restore", ["-d", server.url, "--exit-on-error", join(directory, "muster.dump")])
      return server
    })
}

const base: Backup = {
  take: (server, directory) =>
    Effect.asVoid(
      DebianPostgres.run("pg_basebackup", [
        "--dbname",
        server.url,
        "--pgdata",
        join(directory, "base"),
        "--wal-method=stream",
        "--checkpoint=fast"
      ])
    ),
  restore: (directory, socket) => DebianPostgres.start(join(directory, "base"), socket)
}

describe.skipIf(DebianPostgres.binaries === undefined)("a backup taken under load", () => {
  for (const [name, backup] of [
    ["pg_dump", dump],
    ["pg_basebackup", base]
  ] as const) {
    it.live(`by ${name} holds all that was accepted before it, and managers of a later time go on with it`, () =>
      Effect.gen(function* () {
        const system = yield* System.make
        const home = yield* Process.directory("backup")
        const socket = yield* DebianPostgres.directory(join(home, "socket"))
        const data = yield* DebianPostgres.directory(join(home, "data"))
        const kept = yield* DebianPostgres.directory(join(home, "kept"))
        yield* DebianPostgres.init(data)
        const first = yield* DebianPostgres.start(data, socket)

        const coordinator = yield* system.coordinator({ env: { MUSTER_DATABASE_URL: first.url } })
        const urls = [coordinator.url]
        let steady = yield* system.manager({ urls, name: "steady", workers: 2 })
        let restless = yield* system.manager({ urls, name: "restless", workers: 2 })
        const client = yield* system.client(coordinator.url)
        const suite = yield* client.createSuite({ name: "under load" })
        const submitting = yield* load(client, suite.id)
        const settled = Effect.map(client.getSuite(suite.id), ({ tasks }) => tasks.succeeded)
        yield* Wait.until("tasks have ended", settled, (count) => count > 50)

        // The backup, while everything goes on.
        const before = yield* submitting.accepted
        yield* backup.take(first, kept)
        const after = yield* submitting.accepted
        assert.isAbove(after, before, "nothing was accepted while the backup was taken: that is no load")

        // A future that the backup does not know: more work, new sessions, another suite with a task that is running.
        const later = yield* client.createSuite({ name: "after the backup" })
        yield* client.submit(later.id, [{ program: "/bin/sleep", args: ["1"] }])
        const epoch = Effect.map(
          Stream.runCollect(client.listManagers()),
          (all) => all.find(({ name: of }) => of === "restless")?.epoch ?? 0
        )
        for (const next of [2, 3]) {
          yield* restless.kill("SIGKILL")
          yield* restless.exited
          restless = yield* system.manager({ urls, name: "restless", workers: 2, directory: restless.directory })
          yield* Wait.until(`session ${next} is open`, epoch, (current) => current >= next)
          const now = yield* settled
          yield* Wait.until("it goes on", settled, (count) => count > now + 20)
        }

        // The disaster: the database is gone, and with it all that came after the backup.
        yield* submitting.stop
        yield* first.kill
        yield* coordinator.kill("SIGKILL")
        yield* coordinator.exited
        const second = yield* backup.restore(kept, socket)
        const again = yield* system.coordinator({ port: coordinator.port, env: { MUSTER_DATABASE_URL: second.url } })

        // As docs/backup.md asks: a session that the log knows may have forgotten what the log says that it holds.
        yield* steady.kill("SIGKILL")
        yield* steady.exited
        steady = yield* system.manager({ urls, name: "steady", workers: 2, directory: steady.directory })

        // All that was accepted before the backup is there, and is worked off by managers that the log knows only in part.
        const restored = yield* client.getSuite(suite.id)
        assert.isAtLeast(restored.tasks.total, before)
        const late = yield* Effect.flip(client.getSuite(later.id))
        assert.strictEqual(late._tag, "SuiteNotFound")
        yield* client.submit(
          suite.id,
          Array.from({ length: 20 }, () => task)
        )
        yield* client.closeSuite(suite.id)
        const done = yield* client.wait(suite.id, { timeout: "60 seconds" })
        assert.deepInclude(done.tasks, { total: restored.tasks.total + 20, pending: 0, failed: 0, cancelled: 0 })
        for (const manager of [steady, restless]) assert.isTrue(Process.isAlive(manager.pid), manager.output())
        const managers = yield* Stream.runCollect(client.listManagers())
        assert.sameMembers(
          managers.map(({ name: of }) => of),
          ["restless", "steady"]
        )
        assert.isTrue(managers.every(({ state }) => state !== "offline"))
        // Both machines do new work.
        const fresh = yield* client.createSuite({ name: "afterwards" })
        yield* client.submit(
          fresh.id,
          Array.from({ length: 100 }, () => task)
        )
        yield* client.closeSuite(fresh.id)
        assert.deepInclude((yield* client.wait(fresh.id, { timeout: "60 seconds" })).tasks, { succeeded: 100 })
        const users = new Set(
          (yield* Stream.runCollect(client.listTasks({ suiteId: fresh.id }))).map(({ manager }) => manager)
        )
        assert.strictEqual(users.size, 2)

        // At rest: the rows are what the events say.
        yield* again.kill("SIGTERM")
        yield* again.exited
        assert.strictEqual(yield* differences(second.url), 0)
      })
    )
  }
})
