/**
 * A worker's rules: by example, and whatever happens to it.
 */
/* oxlint-disable vitest/expect-expect -- given/when/gives asserts */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Effect, Schema } from "effect"
import * as Worker from "@muster/domain/Worker"
import type { WorkerChange } from "@muster/domain/Rpc/ManagerRpcs"
import * as GivenWhenThen from "./support/GivenWhenThen.ts"
import { manager, sequences, start, Wait } from "./support/Arbitraries.ts"
import * as Properties from "./support/Properties.ts"

const { given } = GivenWhenThen.make(Worker.decider)

const id = Worker.workerId(manager(1), 3)
const change = (
  what: WorkerChange["change"],
  pid: number,
  at: number,
  end: Pick<WorkerChange, "exitCode" | "signal"> = {}
): Worker.WorkerCommand => ({
  _tag: "RecordChange",
  id,
  change: { slot: 3, change: what, pid, at: start + at, ...end },
  now: start + at + 7
})
const started = (pid: number, at: number): Worker.WorkerEvent => ({ _tag: "WorkerStarted", id, pid, at: start + at })
const stopped = (pid: number, at: number): Worker.WorkerEvent => ({ _tag: "WorkerStopped", id, pid, at: start + at })
const crashed = (pid: number, at: number): Worker.WorkerEvent => ({
  _tag: "WorkerCrashed",
  id,
  pid,
  signal: "SIGSEGV",
  at: start + at
})
const segfault = { signal: "SIGSEGV" }

describe("a worker", () => {
  it("starts, once however often it is told", () => {
    given()
      .when(change("started", 100, 1))
      .gives(started(100, 1))
    given(started(100, 1))
      .when(change("started", 100, 1))
      .givesNothing()
    given(started(100, 1), crashed(100, 2))
      .when(change("started", 100, 1))
      .givesNothing()
  })

  it("crashes, once however often it is told", () => {
    given(started(100, 1))
      .when(change("crashed", 100, 2, segfault))
      .gives(crashed(100, 2))
    given(started(100, 1), crashed(100, 2))
      .when(change("crashed", 100, 2, segfault))
      .givesNothing()
  })

  it("keeps the exit code of a crash that had one", () => {
    given(started(100, 1))
      .when(change("crashed", 100, 2, { exitCode: 3 }))
      .gives({ _tag: "WorkerCrashed", id, pid: 100, exitCode: 3, at: start + 2 })
  })

  it("stops, which is no crash", () => {
    const outcome = given(started(100, 1)).when(change("stopped", 100, 2))
    outcome.gives(stopped(100, 2))
    assert.deepInclude(Worker.fromState(outcome.state), { state: "stopped", crashes: 0 })
  })

  it("ends once: after a crash nobody can stop it", () => {
    given(started(100, 1), crashed(100, 2))
      .when(change("stopped", 100, 3))
      .givesNothing()
  })

  it("is followed by the next process in its place", () => {
    given(started(100, 1), crashed(100, 2))
      .when(change("started", 101, 3))
      .gives(started(101, 3))
  })

  it("may get a process number that was used before", () => {
    given(started(100, 1), crashed(100, 2))
      .when(change("started", 100, 3))
      .gives(started(100, 3))
  })

  it("counts the crash of an earlier process that is told late, and goes on", () => {
    const outcome = given(started(100, 1), started(101, 3)).when(change("crashed", 100, 2, segfault))
    outcome.gives(crashed(100, 2))
    assert.deepInclude(Worker.fromState(outcome.state), { state: "running", pid: 101, crashes: 1 })
  })

  it("can be known by its end alone", () => {
    const outcome = given().when(change("crashed", 100, 2, segfault))
    outcome.gives(crashed(100, 2))
    assert.deepStrictEqual(Worker.fromState(outcome.state), {
      id,
      managerId: manager(1),
      slot: 3,
      pid: 100,
      state: "crashed",
      crashes: 1,
      lastExitCode: null,
      lastSignal: "SIGSEGV",
      startedAt: null,
      updatedAt: new Date(start + 2).toISOString()
    })
  })

  it("shows the process that runs and the crash before it", () => {
    const outcome = given(started(100, 1), crashed(100, 2)).when(change("started", 101, 3))
    assert.deepStrictEqual(Worker.fromState(outcome.state), {
      id,
      managerId: manager(1),
      slot: 3,
      pid: 101,
      state: "running",
      crashes: 1,
      lastExitCode: null,
      lastSignal: "SIGSEGV",
      startedAt: new Date(start + 3).toISOString(),
      updatedAt: new Date(start + 3).toISOString()
    })
  })

  it("shows nothing of a worker that was never heard of", () => {
    assert.isUndefined(Worker.fromState(Worker.initial()))
  })

  it("remembers a bounded number of processes", () => {
    const history = Array.from({ length: 100 }, (_, n) => [started(n, 2 * n), crashed(n, 2 * n + 1)]).flat()
    const { state } = given(...history).when(change("started", 1_000, 1_000))
    assert.strictEqual(state._tag === "Unknown" ? 0 : state.recent.length, Worker.maxRecent)
    assert.deepInclude(Worker.fromState(state), { crashes: 100 })
  })
})

const commands = sequences<Worker.WorkerCommand>(
  Schema.TaggedStruct("RecordChange", {
    id: Schema.Literal(id),
    change: Schema.Struct({
      slot: Schema.Literal(3),
      change: Schema.Literals(["started", "crashed", "stopped"]),
      pid: Schema.Literals([100, 101, 102]),
      exitCode: Schema.optionalKey(Schema.Int),
      signal: Schema.optionalKey(Schema.Literals(["SIGKILL", "SIGSEGV"])),
      at: Schema.Int.check(Schema.isBetween({ minimum: start, maximum: start + 20 }))
    }),
    now: Wait
  })
)

describe("whatever happens", () => {
  it.prop("no event that is decided is impossible", [commands], ([told]) => {
    Properties.eventsArePossible(Worker.decider, told)
  })

  it.prop("a report that comes twice adds nothing", [commands], ([told]) => {
    Properties.repeatingAddsNothing(Worker.decider, told)
  })

  it.prop("the history gives the state back", [commands], ([told]) => {
    Properties.replayAgrees(Worker.decider, told)
  })

  it.prop("any event is taken in any state", [Worker.State, Schema.Array(Worker.WorkerEvent)], ([state, events]) => {
    Properties.evolveIsTotal(Worker.decider, state, events)
  })

  it.prop("events survive storage", [Worker.WorkerEvent], ([event]) => {
    Properties.survivesJson(Worker.WorkerEvent, event)
  })

  it.prop("states survive as snapshots", [commands], ([told]) => {
    Properties.survivesJson(Worker.State, GivenWhenThen.run(Worker.decider, told).state)
  })

  it.prop("crashes are counted", [commands], ([told]) => {
    const { state, steps } = GivenWhenThen.run(Worker.decider, told)
    const crashes = steps.flatMap(({ events }) => events).filter((event) => event._tag === "WorkerCrashed")
    assert.strictEqual(Worker.fromState(state)?.crashes ?? 0, crashes.length)
  })

  it.effect("the generated reports lead to every event", () =>
    Effect.gen(function* () {
      const samples = yield* Arbitrary.sampleEffect(commands, { count: 50, size: 20, seed: "worker" })
      const seen = new Set(
        samples.flatMap((told) =>
          GivenWhenThen.run(Worker.decider, told).steps.flatMap(({ events }) => events.map((event) => event._tag))
        )
      )
      assert.sameMembers([...seen], ["WorkerStarted", "WorkerCrashed", "WorkerStopped"])
    })
  )
})
