/**
 * Which tasks of a suite need not be told apart.
 */
import { assert, describe, it } from "@effect/vitest"
import { Arbitrary, Schema } from "effect"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as Plain from "@muster/domain/Suite/Plain"
import { fromIndexes } from "@muster/domain/Suite/RangeList"
import type { Existing, SuiteState } from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import { run, step } from "./support/GivenWhenThen.ts"
import * as S from "./support/SuiteFixtures.ts"
import { lives, thorough } from "./support/SuiteMoves.ts"

const existing = (state: SuiteState): Existing => {
  if (state._tag === "Missing") throw new Error("there is no suite")
  return state
}

/** Tasks of which an event says more than that they were leased or given back. */
const spokenOf = (event: SuiteEvent): ReadonlyArray<number> => {
  switch (event._tag) {
    case "TasksSubmitted":
      return event.tasks.flatMap(({ labels = [], priority = 0 }, k) =>
        labels.length > 0 || priority !== 0 ? [event.firstIndex + k] : []
      )
    case "TasksStarted":
      return event.tasks.map(([index]) => index)
    case "AttemptsEnded":
      return event.attempts.map(({ index }) => index)
    case "TasksCancelled":
    case "TaskCancellationRequested":
    case "TasksRequeued":
      return event.ranges.flatMap(([first, last]) => Array.from({ length: last - first + 1 }, (_, k) => first + k))
    case "SuiteCreated":
    case "TasksLeased":
    case "LeasesReturned":
    case "LateResultsRecorded":
    case "SuitePaused":
    case "SuiteResumed":
    case "SuiteClosed":
    case "SuiteCompleted":
    case "SuiteReopened":
    case "SuiteCancelled":
    case "SuiteStopped":
      return []
  }
}

const plainOf = (...commands: ReadonlyArray<SuiteCommand>) =>
  existing(run(decider, [S.create(), ...commands]).state).plain.ranges()

it.prop(
  "a task is plain until something is said of it alone",
  [lives(60)],
  ([commands]) => {
    const apart = new Set<number>()
    let state = decider.initial()
    for (const command of commands) {
      const next = step(decider, state, command)
      state = next.state
      for (const event of next.step.events) for (const index of spokenOf(event)) apart.add(index)
      const { plain, tasks } = existing(state)
      const expected = Array.from({ length: tasks.size }, (_, index) => index).filter((index) => !apart.has(index))
      assert.deepStrictEqual(plain.ranges(), fromIndexes(expected))
      for (const index of expected) {
        assert.isAtMost(tasks.phaseOf(index), Phase.assigned)
        assert.strictEqual(tasks.attemptsOf(index), 0)
      }
    }
  },
  thorough
)

/** Steps that scatter: each speaks of every `every`-th task from `first` on, of at most `most`. */
const Scattering = Schema.Array(
  Schema.Struct({
    kind: Schema.Literals(["cancel", "start", "end", "label"]),
    first: Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 5_000 })),
    every: Schema.Int.check(Schema.isBetween({ minimum: 2, maximum: 7 })),
    most: Schema.Literals([1, 20, 700, 3_000])
  })
).check(Schema.isMaxLength(8))

describe("the ranges in which plain tasks lie", () => {
  it.prop(
    "are never too many, and no more tasks are told apart for it than that takes",
    [Arbitrary.schema(Scattering)],
    ([steps]) => {
      let state = run(decider, [S.create(), S.submit(S.times(5_000)), S.lease(S.a, 2_500)]).state
      const happens = (event: SuiteEvent) => {
        const before = existing(state)
        const were = before.plain.ranges()
        const { crowded, joining, leaving } = Plain.change(before, event)
        assert.deepStrictEqual(before.plain.ranges(), were, "looking changes nothing")
        const spoken = new Set(spokenOf(event))
        state = decider.evolve(state, event)
        const { plain } = existing(state)
        assert.isAtMost(plain.count, Plain.mostRanges)
        if (crowded.length > 0) assert.strictEqual(plain.count, Plain.mostRanges)
        const shortest = Math.min(...plain.ranges().map(([first, last]) => last - first))
        for (const [first, last] of crowded) {
          assert.isAtMost(last - first, shortest)
          for (let index = first; index <= last; index++) assert.isFalse(spoken.has(index) || plain.has(index))
        }
        for (const [first, last] of leaving) {
          for (let index = first; index <= last; index++) assert.isTrue(spoken.has(index) && !plain.has(index))
        }
        for (const [first, last] of joining) {
          for (let index = first; index <= last; index++) assert.isFalse(spoken.has(index))
        }
      }
      for (const { every, first, kind, most } of steps) {
        const size = existing(state).tasks.size
        const indexes = Array.from({ length: most }, (_, k) => first + k * every).filter((index) => index < size)
        const phase = (index: number) => existing(state).tasks.phaseOf(index)
        const assigned = indexes.filter((index) => phase(index) === Phase.assigned)
        if (kind === "cancel") {
          const queued = indexes.filter((index) => phase(index) === Phase.queued)
          happens({ _tag: "TasksCancelled", ranges: fromIndexes(queued), reason: "x", at: S.now })
        } else if (kind === "start") {
          happens(
            S.started(
              S.a,
              assigned.map((index) => [index, 1] as const)
            )
          )
        } else if (kind === "end") {
          happens(
            S.ended(
              S.a,
              assigned.map((index) => ({ ...S.result(index), next: "succeeded" as const }))
            )
          )
        } else {
          const tasks = Array.from({ length: most }, (_, k) =>
            k % every === 0 ? { ...S.spec, labels: ["x"] } : S.spec
          )
          happens(S.submitted(size, tasks))
        }
      }
    },
    { arbitrary: { runs: 100, size: 60 } }
  )

  it("stay few when tasks are cancelled one by one, every other one", () => {
    let { state } = run(decider, [S.create(), S.submit(S.times(6_000))])
    for (let index = 0; index < 6_000; index += 2) {
      state = step(decider, state, S.cancelTasks([index])).state
      assert.isAtMost(existing(state).plain.count, Plain.mostRanges)
    }
    assert.strictEqual(existing(state).plain.count, Plain.mostRanges)
  })
})

describe("a task that was leased and given back", () => {
  it("is plain, whether its manager did that or was lost", () => {
    assert.deepStrictEqual(plainOf(S.submit(S.times(9)), S.lease(S.a, 4), S.reclaim(S.a)), [[0, 8]])
    assert.deepStrictEqual(plainOf(S.submit(S.times(9)), S.lease(S.a, 4), S.report(S.a, { returned: [[2, 1]] })), [
      [0, 8]
    ])
  })

  it("is not plain when it had begun", () => {
    assert.deepStrictEqual(
      plainOf(S.submit(S.times(9)), S.lease(S.a, 4), S.report(S.a, { started: [[2, 1]] }), S.reclaim(S.a)),
      [
        [0, 1],
        [3, 8]
      ]
    )
  })
})
