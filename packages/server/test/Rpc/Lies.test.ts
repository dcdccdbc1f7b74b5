/** A manager that lies, over a real WebSocket to a real coordinator. */
import { assert, layer } from "@effect/vitest"
import { Deferred, Effect, Stream } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import { Epoch, ManagerId } from "@muster/domain/Manager/Id"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Coordinators from "../support/Coordinators.ts"
import { eventually } from "../support/Eventually.ts"
import * as Muster from "../support/Muster.ts"
import * as RawSocket from "../support/RawSocket.ts"
import * as ScriptedManager from "../support/ScriptedManager.ts"

const honest = { managerId: ManagerId.make("m000000000000001"), epoch: Epoch.make(1) }
const liar = { managerId: ManagerId.make("m000000000000002"), epoch: 1 }
const suiteId = SuiteId.make("s000000000000001")

/** All that a lie could have changed: rows, and the events of everybody else. */
const world = Effect.gen(function* () {
  const sql = yield* SqlClient
  return yield* Effect.all({
    suites: sql`select * from suites order by id`,
    tasks: sql`select * from tasks order by suite_id, index`,
    attempts: sql`select * from attempts`,
    late: sql`select * from late_results`,
    leases: sql`select suite_id, manager, epoch, tasks::text from leases order by manager`,
    managers: sql`select id, state, epoch, suite_id, connected, workers from managers order by id`,
    workers: sql`select * from workers`,
    events: sql`select stream, version, type from events where type <> 'ManagerLied' order by position`
  })
})

const metrics = (port: number) =>
  Effect.promise(async () => {
    const text = await fetch(`http://127.0.0.1:${port}/metrics`).then((response) => response.text())
    const lines = text.split("\n").filter((line) => !line.startsWith("#"))
    const of = (name: string) =>
      Number(
        lines
          .find((line) => line.startsWith(`${name} `))
          ?.split(" ")
          .at(-1)
      )
    return {
      lies: (kind: string) => of(`muster_manager_lies_total{kind="${kind}"}`),
      attempts: lines.filter((line) => line.startsWith("muster_attempts_total")).join("\n"),
      prefetched: of("muster_prefetch_hits_total")
    }
  })

/** Deeper than anything that is written by recursion. */
const depth = 100_000
const deep = (json: string) => json.replace('"deep"', "[".repeat(depth) + "]".repeat(depth))

layer(Muster.layer, { excludeTestServices: true, timeout: "60 seconds" })("a manager that lies", (it) => {
  it.effect("changes nothing, and is counted, logged and shown", () =>
    Effect.scoped(
      Effect.gen(function* () {
        const coordinator = yield* Coordinators.start()
        const { client, manager, port } = coordinator
        const isOpen = yield* Deferred.make<void>()
        yield* manager.Connect({ managerId: honest.managerId, instance: "honest", spec: ScriptedManager.spec() }).pipe(
          Stream.runForEach(({ _tag }) => (_tag === "Welcome" ? Deferred.succeed(isOpen, undefined) : Effect.void)),
          Effect.forkScoped
        )
        yield* Deferred.await(isOpen)
        const tasks = Array.from({ length: 4 }, () => ({ program: "/bin/true" }))
        yield* client.CreateSuite({ suiteId, commandId: "create", spec: {} })
        yield* client.SubmitTasks({ suiteId, commandId: "submit", tasks })
        const leased = yield* manager.LeaseTasks({ ...honest, suiteId, commandId: "lease", max: 2, wait: 1_000 })
        assert.strictEqual(leased.leases.length, 2)

        const socket = yield* RawSocket.open(`ws://127.0.0.1:${port}/ws/managers`, Coordinators.enrolmentToken)
        // Before it has a session it may say nothing at all.
        const early = yield* socket.ask("Ready", liar)
        assert.strictEqual(early.failure?._tag, "Unavailable")
        yield* socket.subscribe("Connect", { ...liar, instance: "liar", spec: ScriptedManager.spec() })
        const before = yield* world
        const counted = yield* metrics(port)

        const now = Date.now()
        let commands = 0
        const report = (more: object) =>
          socket.ask(
            "ReportTasks",
            {
              ...liar,
              suiteId,
              commandId: `lie ${commands++}`,
              started: [],
              ended: [],
              returned: [],
              ...more
            },
            deep
          )
        const result = (index: unknown, attempt: unknown = 1, rest?: object) =>
          rest === undefined ? [index, attempt, 0, now, 1] : [index, attempt, 0, now, 1, rest]

        // Results for tasks that it does not hold: another's, nobody's, of no task, of attempts that never were.
        const invented = yield* report({
          started: [[0, 1, now]],
          ended: [result(0), result(3), result(1_000), result(0, 2), result(1, 30_000)],
          returned: [[1, 1]]
        })
        assert.deepStrictEqual(invented.value, { accepted: 0, repeated: 0, late: 0, refused: 5 })

        const refusals: ReadonlyArray<readonly [kind: string, lie: () => ReturnType<typeof report>]> = [
          ["other_manager", () => report({ managerId: honest.managerId, ended: [result(0)] })],
          ["other_manager", () => socket.ask("Leave", honest)],
          ["other_manager", () => socket.ask("Released", { ...honest, suiteId })],
          ["other_manager", () => socket.ask("ChangeActivity", { ...honest, activity: "preparing", suiteId })],
          ["other_epoch", () => report({ epoch: 2, ended: [result(0)] })],
          ["too_many", () => report({ ended: Array.from({ length: 1_000_000 }, () => 0) })],
          ["too_large", () => report({ ended: [result(0, 1, { output: "deep" })] })],
          ["too_large", () => report({ ended: [result(0, 1, { output: "x".repeat(4_000_000) })] })],
          ["impossible_duration", () => report({ ended: [[0, 1, 0, now, -5]] })],
          ["impossible_duration", () => report({ ended: [[0, 1, 0, now, 1e15]] })],
          ["impossible_time", () => report({ ended: [[0, 1, 0, 8e15, 1]] })],
          ["impossible_time", () => report({ started: [[0, 1, 9e15]] })],
          ["malformed", () => report({ ended: [result(-1)] })],
          ["malformed", () => report({ ended: [result(1.5)] })],
          ["malformed", () => report({ ended: [result(null)] })],
          ["malformed", () => report({ ended: [result("0")] })],
          ["malformed", () => report({ returned: [[2 ** 40, 1]] })],
          ["malformed", () => report({ ended: [result(0, 1, { exitCode: 2 ** 40 })] })],
          ["malformed", () => report({ commandId: "x".repeat(100_000) })],
          [
            "malformed",
            () => socket.ask("Heartbeat", { ...liar, activity: "idle", running: 0, buffered: 0, prefetchHits: -9 })
          ],
          ["malformed", () => socket.ask("LeaseTasks", { ...liar, suiteId, commandId: "l", max: 1e9, wait: 0 })],
          [
            "malformed",
            () => socket.ask("ReportWorkers", { ...liar, changes: [{ slot: 1e6, change: "started", pid: 1, at: now }] })
          ]
        ]
        for (const [kind, lie] of refusals) {
          const { failure } = yield* lie()
          assert.strictEqual(failure?._tag, "InvalidInput", kind)
        }

        const after = yield* metrics(port)
        const expected = new Map<string, number>([["not_held", 5]])
        for (const [kind] of refusals) expected.set(kind, (expected.get(kind) ?? 0) + 1)
        for (const [kind, count] of expected) assert.strictEqual(after.lies(kind), count, kind)
        assert.strictEqual(after.attempts, counted.attempts)
        assert.strictEqual(after.prefetched, counted.prefetched)
        assert.deepStrictEqual(yield* world, before)

        // It is shown, and the stream says so in few events.
        const shown = yield* eventually(
          client.GetManager({ managerId: liar.managerId }),
          ({ lies }) => lies !== undefined
        )
        assert.strictEqual(shown.lies?.total, 5)
        assert.deepStrictEqual(shown.lies?.kinds, { not_held: 5 })
        assert.include(shown.lies?.example ?? "", suiteId)
        assert.isUndefined((yield* client.GetManager({ managerId: honest.managerId })).lies)

        // A hundred more of them are one more line for nobody: the log has had its word for this minute.
        for (let k = 0; k < 100; k++) yield* report({ ended: [result(0)] })
        const warnings = coordinator
          .output()
          .split("\n")
          .filter((line) => line.includes("said what cannot be"))
        assert.strictEqual(warnings.length, 1, warnings.join("\n"))
        const sql = yield* SqlClient
        const events = yield* sql`select from events where type = 'ManagerLied'`
        assert.strictEqual(events.length, 1)
        assert.deepStrictEqual(yield* world, before)

        // Who holds the tasks hands in what they came to, as if nobody had said anything.
        const ended = leased.leases.map(({ attempt, index }) => ({
          index,
          attempt,
          outcome: "succeeded" as const,
          finishedAt: now
        }))
        const reply = yield* manager.ReportTasks({
          ...honest,
          suiteId,
          commandId: "true",
          started: [],
          ended,
          returned: []
        })
        assert.deepStrictEqual(reply, { accepted: 2, repeated: 0, late: 0 })
        assert.notMatch(coordinator.output(), /FATAL|    at /)
      })
    )
  )
})
