/**
 * Records a golden log: a real system goes through all that can happen, and its whole log is written down with the states
 * and rows that it comes to. Run once for each release, before it is released:
 *
 *     node test/golden/record.ts
 *
 * It ends with an error when a type of event is missing. `Golden.test.ts` replays what it wrote.
 */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"
import { Effect, Layer, Redacted, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Bundle from "@muster/domain/Bundle"
import type { ManagerId } from "@muster/domain/Manager/Id"
import { taskId } from "@muster/domain/Suite/Id"
import type { SuiteId } from "@muster/domain/Suite/Id"
import { version } from "@muster/domain/Version"
import * as BundleFile from "@muster/server/BundleFile"
import * as Database from "@muster/server/Database"
import * as PgEventStore from "@muster/server/PgEventStore"
import { EventStore } from "@muster/server/EventStore"
import * as GoldenDump from "./GoldenDump.ts"
import * as System from "../e2e/support/System.ts"
import * as Wait from "../e2e/support/Wait.ts"

const directory = fileURLToPath(new URL("logs/", import.meta.url))

/** Whoever falls silent is suspected and lost within seconds, not minutes. */
const quick = { MUSTER_MANAGER_SILENT_AFTER: "3s", MUSTER_MANAGER_LOST_AFTER: "6s", MUSTER_SUITE_LINGER: "500ms" }

const shell = (script: string) => ({ program: "/bin/sh", args: ["-c", script] })

const story = Effect.fnUntraced(function* (system: System.System) {
  const coordinator = yield* system.coordinator({ env: quick })
  const urls = [coordinator.url]
  const client = yield* system.client(coordinator.url)
  const managers = Stream.runCollect(client.listManagers())
  const managerNamed = (name: string) =>
    Effect.map(
      Wait.until(`${name} is there`, managers, (all) =>
        all.some((manager) => manager.name === name && manager.state !== "offline")
      ),
      (all) => all.find((manager) => manager.name === name)?.id ?? absurd()
    )
  const eventsOf = (id: ManagerId) =>
    Effect.map(Stream.runCollect(client.listEvents({ stream: `manager-${id}` })), (all) => all.map(({ type }) => type))
  const untilManager = (id: ManagerId, type: string) =>
    Wait.until(`${id}: ${type}`, eventsOf(id), (types) => types.includes(type))
  const untilRunning = (id: SuiteId, count: number) =>
    Wait.until(`${count} tasks run`, client.getSuite(id), ({ tasks }) => tasks.running === count)

  const plain = yield* system.manager({ urls, name: "plain", workers: 2, tags: ["linux"] })
  const plainId = yield* managerNamed("plain")

  // Everything that a task can come to by itself.
  const mixed = yield* client.createSuite({
    name: "mixed",
    description: "all ways to end",
    labels: ["golden"],
    tags: ["linux"],
    priority: 3,
    workers: 2,
    defaults: { timeout: "1m", env: { GREETING: "hello" }, retry: { limit: 1, backoff: "50ms" } }
  })
  yield* client.submit(mixed.id, [
    shell('echo "$GREETING out"; echo err >&2'),
    { ...shell("exit 3"), labels: ["fails"], priority: 5 },
    { ...shell("sleep 20"), timeout: "300ms", grace: "100ms", retry: { limit: 0 } },
    { program: "/no/such/program" },
    { ...shell("kill -SEGV $$"), retry: { limit: 0 } },
    { ...shell("printf 'ä€ %5000s' x"), output: { tail: "1Ki" } },
    { program: "cat", stdin: "text for standard input", cwd: "/tmp" }
  ])
  yield* client.closeSuite(mixed.id)
  yield* client.wait(mixed.id, { timeout: "60 seconds" })
  yield* client.retryTasks(mixed.id, "failed")
  yield* client.wait(mixed.id, { timeout: "60 seconds" })

  // Everything that a user can do to a suite and its tasks.
  const steered = yield* client.createSuite({ name: "steered", maxFails: 10 })
  yield* client.pauseSuite(steered.id)
  yield* client.submit(
    steered.id,
    Array.from({ length: 6 }, () => shell("sleep 60"))
  )
  yield* client.cancelTasks(steered.id, [5], "not this one")
  yield* client.resumeSuite(steered.id)
  yield* untilRunning(steered.id, 2)
  yield* client.cancelTasks(steered.id, [0], "too slow")
  yield* Wait.until("it has ended", client.getTask(taskId(steered.id, 0)), ({ state }) => state === "cancelled")
  yield* client.cancelSuite(steered.id, { mode: "force", reason: "enough" })
  yield* client.wait(steered.id, { timeout: "60 seconds" })

  // A worker that dies under its task; a manager that is silent for a while.
  const fragile = yield* client.createSuite({ name: "fragile" })
  yield* client.submit(fragile.id, [shell("sleep 60")])
  yield* untilRunning(fragile.id, 1)
  for (const worker of yield* Stream.runCollect(client.listWorkers({ managerId: plainId }))) {
    if (worker.state === "running") process.kill(worker.pid, "SIGKILL")
  }
  yield* Wait.until("the attempt crashed", client.getTask(taskId(fragile.id, 0)), ({ attempts }) => attempts.length > 1)
  yield* untilRunning(fragile.id, 1)
  yield* plain.kill("SIGSTOP")
  yield* untilManager(plainId, "ManagerSuspected")
  yield* plain.kill("SIGCONT")
  yield* untilManager(plainId, "ManagerReconnected")
  yield* client.cancelSuite(fragile.id, { mode: "force" })
  yield* client.wait(fragile.id, { timeout: "60 seconds" })

  // A manager that is lost while it runs something, and comes back when somebody else has done it.
  const frozen = yield* system.manager({ urls, name: "frozen", workers: 1, tags: ["pair"] })
  const frozenId = yield* managerNamed("frozen")
  const handed = yield* client.createSuite({ name: "handed over", tags: ["pair"] })
  yield* client.submit(
    handed.id,
    Array.from({ length: 3 }, () => shell("sleep 1.5; echo done"))
  )
  yield* client.closeSuite(handed.id)
  yield* untilRunning(handed.id, 1)
  yield* frozen.kill("SIGSTOP")
  yield* untilManager(frozenId, "ManagerLost")
  yield* system.manager({ urls, name: "second", workers: 2, tags: ["pair"] })
  const secondId = yield* managerNamed("second")
  yield* client.wait(handed.id, { timeout: "60 seconds" })
  yield* frozen.kill("SIGCONT")
  yield* Wait.until(
    "results came late",
    Stream.runCollect(client.listEvents({ stream: `suite-${handed.id}` })),
    (all) => all.some(({ type }) => type === "LateResultsRecorded")
  )

  // What operators ask of machines. What is leased and not begun goes back.
  yield* client.drainManager(plainId)
  yield* client.drainManager(plainId, false)
  const left = yield* client.createSuite({ name: "left behind", tags: ["pair"], workers: 1 })
  yield* client.submit(
    left.id,
    Array.from({ length: 5 }, () => shell("sleep 1"))
  )
  yield* Wait.until("something runs", client.getSuite(left.id), ({ tasks }) => tasks.running > 0)
  for (const id of [secondId, frozenId]) yield* client.shutdownManager(id)
  for (const id of [secondId, frozenId]) yield* untilManager(id, "ManagerLeft")
})

const absurd = (): never => {
  throw new Error("it was there a moment ago")
}

const readLog = Effect.gen(function* () {
  const sql = yield* SqlClient
  const store = yield* EventStore
  const streams = yield* sql<{ stream: string }>`select stream from events where version = 1 order by stream`
  const log = yield* Effect.forEach(streams, ({ stream }) => store.readStream(stream))
  return log.flat().toSorted((a, b) => a.position - b.position)
})

const record = Effect.gen(function* () {
  const system = yield* System.make
  yield* Effect.scoped(story(system))
  const database = Database.layer({ ...Database.defaults, url: Redacted.make(system.postgres.url) })
  const { log, rows } = yield* Effect.all({ log: readLog, rows: GoldenDump.rows }).pipe(
    Effect.provide(Layer.provideMerge(PgEventStore.layer, database))
  )
  const seen = new Set(log.map(({ type }) => type))
  const missing = GoldenDump.knownTypes.filter((type) => !seen.has(type))
  if (missing.length > 0) return yield* Effect.die(new Error(`these events did not occur: ${missing.join(", ")}`))
  const streams = [...Map.groupBy(log, ({ stream }) => stream)].map(
    ([stream, events]) => [stream, events.length] as const
  )
  const header: Bundle.Header = {
    bundle: "muster",
    format: Bundle.format,
    version,
    source: "test/golden/record.ts",
    at: Date.now(),
    suite: null,
    events: log.length,
    streams
  }
  yield* Effect.promise(async () => {
    const writer = await BundleFile.write(`${directory}${version}.jsonl.gz`, header)
    for (const event of log) await writer.event(event)
    await writer.end()
  })
  const expected = JSON.stringify({ states: GoldenDump.states(log), rows })
  writeFileSync(`${directory}${version}.expected.json.gz`, gzipSync(expected, { level: 9 }))
  process.stdout.write(`${log.length} events of ${streams.length} streams, ${seen.size} types\n`)
})

await Effect.runPromise(Effect.scoped(record))
