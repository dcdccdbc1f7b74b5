/**
 * A suite's own life: open, closed, complete, cancelled, and paused beside it (MIT-040 to MIT-049, MIT-063).
 */
/* oxlint-disable vitest/expect-expect -- given/when/gives asserts */
import { assert, describe, it } from "@effect/vitest"
import { replay } from "@muster/domain/Decider"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider, idleCloseAfter, withSuiteId } from "@muster/domain/Suite/Decider"
import { SuiteAlreadyExists, SuiteIsCancelled, SuiteNotFound } from "@muster/domain/Suite/Errors"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as State from "@muster/domain/Suite/State"
import type { SuiteState } from "@muster/domain/Suite/State"
import * as GivenWhenThen from "./support/GivenWhenThen.ts"
import * as S from "./support/SuiteFixtures.ts"
import { a, given, now } from "./support/SuiteFixtures.ts"

const isCancelled = new SuiteIsCancelled({ suiteId: S.id })

const existing = (state: SuiteState): State.Existing => {
  if (state._tag === "Missing") throw new Error("there is no suite")
  return state
}

// Histories that lead to each state.

const empty = [S.created()]
const queued = [S.created(), S.submitted(0, S.times(3))]
const running = [...queued, S.leased(a, [[0, 1, 1]]), S.started(a, [[0, 1]])]
const closed = [...queued, S.closed()]
const complete = [
  S.created(),
  S.submitted(0, S.times(2)),
  S.leased(a, [[0, 1, 1]]),
  S.ended(a, [
    { ...S.result(0), next: "succeeded" },
    { ...S.result(1, 1, "failed"), next: "failed" }
  ]),
  S.completed()
]
/** Task 0 is running, task 1 is assigned, task 2 was cancelled. */
const cancelled = [...running, S.cancelled([[2, 2]], "unwanted"), S.suiteCancelled("graceful", "unwanted")]
const stopped = [...queued, S.cancelled([[0, 2]], "unwanted"), S.suiteCancelled("graceful", "unwanted"), S.stopped()]

const living: ReadonlyArray<readonly [string, ReadonlyArray<SuiteEvent>]> = [
  ["open and empty", empty],
  ["open with queued tasks", queued],
  ["open with a running task", running],
  ["closed", closed],
  ["complete", complete]
]
const dead: ReadonlyArray<readonly [string, ReadonlyArray<SuiteEvent>]> = [
  ["cancelled with running tasks", cancelled],
  ["cancelled and stopped", stopped]
]

const allCommands: ReadonlyArray<SuiteCommand> = [
  S.submit(S.times(1)),
  S.lease(a, 1),
  S.report(a, { ended: [S.result(0)] }),
  S.reclaim(a),
  S.cancelTasks([0]),
  S.retry("failed"),
  S.pause(),
  S.resume(),
  S.close(),
  S.cancelSuite("force"),
  S.sweep()
]

describe("a suite that does not exist", () => {
  it("can be created", () => {
    given()
      .when(S.create({ name: "nightly" }))
      .gives({ ...S.created({ name: "nightly" }), at: now })
  })

  it("has nothing that could be asked for anything else", () => {
    const nameless = SuiteId.make("0".repeat(16))
    for (const command of allCommands)
      given()
        .when(command)
        .isRefused(new SuiteNotFound({ suiteId: nameless }))
  })

  it("is named by whoever asked for it", () => {
    const error = given().when(S.pause()).error
    assert.deepStrictEqual(error && withSuiteId(error, S.id), new SuiteNotFound({ suiteId: S.id }))
    assert.deepStrictEqual(withSuiteId(isCancelled, SuiteId.make("1".repeat(16))), isCancelled)
  })
})

describe("creating", () => {
  it.each([...living, ...dead])("is refused when the suite is there already: %s", (_, history) => {
    given(...history)
      .when(S.create())
      .isRefused(new SuiteAlreadyExists({ suiteId: S.id }))
  })

  it("makes an open suite (MIT-040)", () => {
    const state = existing(given().when(S.create()).state)
    assert.strictEqual(state.state, "open")
    assert.isFalse(state.paused)
    assert.strictEqual(State.taskCounts(state).total, 0)
  })
})

describe("submitting", () => {
  it("adds tasks at the end", () => {
    given(...queued)
      .when(S.submit(S.times(2)))
      .gives(S.submitted(3, S.times(2), now))
    given(...running)
      .when(S.submit(S.times(2)))
      .gives(S.submitted(3, S.times(2), now))
  })

  it("reopens a closed suite and a complete one (MIT-043)", () => {
    given(...closed)
      .when(S.submit(S.times(1)))
      .gives(S.submitted(3, S.times(1), now), S.reopened("submit", now))
    const { state } = given(...complete).when(S.submit(S.times(1)))
    assert.strictEqual(existing(state).state, "open")
    assert.isUndefined(existing(state).completedAt)
    assert.strictEqual(existing(state).lastSubmittedAt, now)
  })

  it("may reopen a suite many times (MIT-043)", () => {
    let history: ReadonlyArray<SuiteEvent> = [S.created()]
    for (let index = 0; index < 3; index++) {
      const submission = given(...history).when(S.submit(S.times(1)))
      const lease = given(...history, ...submission.events).when(S.lease(a, 1))
      const end = given(...history, ...submission.events, ...lease.events).when(
        S.report(a, { ended: [S.result(index)] })
      )
      assert.deepStrictEqual(end.events.at(-1), S.completed(now))
      history = [...history, ...submission.events, ...lease.events, ...end.events]
    }
  })

  it("of nothing is nothing", () => {
    given(...closed)
      .when(S.submit([]))
      .givesNothing()
  })

  it.each(dead)("is refused when the suite is %s (MIT-044)", (_, history) => {
    given(...history)
      .when(S.submit(S.times(1)))
      .isRefused(isCancelled)
  })

  it("notes where the specs of the tasks stand: in which event, and at which place in it", () => {
    const history = [
      S.created(),
      S.submitted(0, S.times(3)),
      S.paused(),
      S.submitted(3, S.times(1)),
      S.submitted(4, S.times(2)),
      S.resumed()
    ]
    const state = existing(replay(decider, history))
    const places = Array.from({ length: 6 }, (_, index) => State.specPlace(state, index))
    assert.deepStrictEqual(
      places.map(({ offset, version }) => [version, offset]),
      [
        [2, 0],
        [2, 1],
        [2, 2],
        [4, 0],
        [5, 0],
        [5, 1]
      ]
    )
  })

  it("does not take an event that does not continue what is there", () => {
    for (const firstIndex of [0, 2, 4]) {
      const state = existing(replay(decider, [...queued, S.submitted(firstIndex, S.times(2))]))
      assert.strictEqual(State.taskCounts(state).total, 3)
    }
  })

  it("leaves exact counters after 10,000 submissions (MIT-046, MIT-047)", () => {
    const commands = Array.from({ length: 10_000 }, () => S.submit(S.times(1)))
    const { state } = GivenWhenThen.run(decider, [S.create(), ...commands])
    assert.deepStrictEqual(State.taskCounts(existing(state)), {
      total: 10_000,
      pending: 10_000,
      queued: 10_000,
      assigned: 0,
      running: 0,
      succeeded: 0,
      failed: 0,
      cancelled: 0
    })
  })

  it("counts each task once, from submission to its end (MIT-046)", () => {
    const outcomes = ["succeeded", "failed", "timed_out", "not_started"] as const
    const commands: Array<SuiteCommand> = [S.create()]
    for (let round = 0; round < 100; round++) {
      const base = round * 100
      commands.push(
        S.submit(S.times(100)),
        S.lease(a, 90),
        S.report(a, {
          started: [[base, 1]],
          ended: Array.from({ length: 80 }, (_, k) => S.result(base + k, 1, outcomes[k % 4])),
          returned: Array.from({ length: 10 }, (_, k) => [base + 80 + k, 1] as const)
        }),
        S.cancelTasks(Array.from({ length: 20 }, (_, k) => base + 80 + k))
      )
    }
    const { state } = GivenWhenThen.run(decider, commands)
    assert.deepStrictEqual(State.taskCounts(existing(state)), {
      total: 10_000,
      pending: 0,
      queued: 0,
      assigned: 0,
      running: 0,
      succeeded: 2_000,
      failed: 6_000,
      cancelled: 2_000
    })
    assert.strictEqual(existing(state).state, "complete")
  })
})

describe("the sweep", () => {
  const idle = S.at + idleCloseAfter

  it("closes a suite that has work left and got nothing new for three minutes (MIT-041)", () => {
    given(...queued)
      .when(S.sweep(idle))
      .gives(S.closed("idle", idle))
    given(...running)
      .when(S.sweep(idle))
      .gives(S.closed("idle", idle))
  })

  it("leaves it open before that", () => {
    given(...queued)
      .when(S.sweep(idle - 1))
      .givesNothing()
    given(...queued, S.submitted(3, S.times(1), S.at + 1))
      .when(S.sweep(idle))
      .givesNothing()
  })

  it("leaves an empty suite open for ever (MIT-042)", () => {
    given(...empty)
      .when(S.sweep(S.at + 1_000 * idleCloseAfter))
      .givesNothing()
  })

  it("finds nothing to do in suites that are not open", () => {
    for (const history of [closed, complete, cancelled, stopped])
      given(...history)
        .when(S.sweep(idle))
        .givesNothing()
  })
})

describe("closing by hand (MIT-049)", () => {
  it("closes an open suite, which goes on handing out tasks", () => {
    given(...queued)
      .when(S.close())
      .gives(S.closed("user", now))
    given(...empty)
      .when(S.close())
      .gives(S.closed("user", now))
    given(...closed)
      .when(S.lease(a, 1))
      .gives(S.leased(a, [[0, 0, 1]], now))
  })

  it("is so already when the suite is closed or complete", () => {
    given(...closed)
      .when(S.close())
      .givesNothing()
    given(...complete)
      .when(S.close())
      .givesNothing()
  })

  it.each(dead)("is refused when the suite is %s", (_, history) => {
    given(...history)
      .when(S.close())
      .isRefused(isCancelled)
  })
})

describe("completion (MIT-042)", () => {
  it.each([
    ["open", running],
    ["closed", [...running, S.closed()]]
  ] as const)("comes with the end of the last pending task of an %s suite", (_, history) => {
    const oneLeft = [
      ...history,
      S.ended(a, [{ ...S.result(1, 1, "failed"), next: "failed" }]),
      S.cancelled([[2, 2]], "unwanted")
    ]
    const last = given(...oneLeft).when(S.report(a, { ended: [S.result(0)] }))
    last.gives(S.ended(a, [{ ...S.result(0), next: "succeeded" }], now), S.completed(now))
    assert.strictEqual(existing(last.state).completedAt, now)
  })

  it("comes with the cancellation of the last pending task, too", () => {
    given(...queued)
      .when(S.cancelTasks([0, 1, 2]))
      .gives(S.cancelled([[0, 2]], "unwanted", now), S.completed(now))
  })

  it("does not wait for the user to resume", () => {
    given(...running, S.paused(), S.cancelled([[2, 2]], "unwanted"))
      .when(S.report(a, { ended: [S.result(0), S.result(1)] }))
      .gives(
        S.ended(
          a,
          [
            { ...S.result(0), next: "succeeded" },
            { ...S.result(1), next: "succeeded" }
          ],
          now
        ),
        S.completed(now)
      )
  })

  it("comes once", () => {
    given(...complete)
      .when(S.sweep(now))
      .givesNothing()
    given(...complete)
      .when(S.report(a, { ended: [S.result(0)] }))
      .givesNothing()
  })
})

describe("pausing", () => {
  it.each(living)("stops the handing out, whatever else the suite is: %s", (_, history) => {
    const { events } = given(...history).when(S.pause())
    assert.deepStrictEqual(events, [S.paused(now)])
    given(...history, ...events)
      .when(S.pause())
      .givesNothing()
    given(...history, ...events)
      .when(S.lease(a, 5))
      .givesNothing()
    given(...history, ...events)
      .when(S.resume())
      .gives(S.resumed(now))
    given(...history)
      .when(S.resume())
      .givesNothing()
  })

  it("does not stop what was handed out", () => {
    given(...running, S.paused())
      .when(S.report(a, { started: [[1, 1]] }))
      .gives(S.started(a, [[1, 1]], now))
  })

  it("ends with the resume", () => {
    given(...queued, S.paused(), S.resumed())
      .when(S.lease(a, 1))
      .gives(S.leased(a, [[0, 0, 1]], now))
  })

  it("outlasts the states", () => {
    const { state } = given(...complete, S.paused()).when(S.submit(S.times(1)))
    assert.isTrue(existing(state).paused)
    assert.strictEqual(existing(state).state, "open")
  })

  it.each(dead)("is refused when the suite is %s", (_, history) => {
    given(...history)
      .when(S.pause())
      .isRefused(isCancelled)
    given(...history)
      .when(S.resume())
      .isRefused(isCancelled)
  })
})

describe("cancelling (MIT-044, MIT-063 as repaired)", () => {
  it("gracefully ends what is queued and lets finish what was handed out", () => {
    given(...running)
      .when(S.cancelSuite("graceful"))
      .gives(S.cancelled([[2, 2]], "unwanted", now), S.suiteCancelled("graceful", "unwanted", now))
  })

  it("by force asks for the end of what was handed out, too", () => {
    given(...running)
      .when(S.cancelSuite("force"))
      .gives(
        S.cancelled([[2, 2]], "unwanted", now),
        S.cancellationRequested([[0, 1]], "unwanted", now),
        S.suiteCancelled("force", "unwanted", now)
      )
  })

  it.each([
    ["empty", empty],
    ["complete", complete]
  ] as const)("stops at once when nothing is pending: %s", (_, history) => {
    given(...history)
      .when(S.cancelSuite("graceful"))
      .gives(S.suiteCancelled("graceful", "unwanted", now), S.stopped(now))
  })

  it("of queued tasks only does not pass through completion", () => {
    given(...closed)
      .when(S.cancelSuite("graceful"))
      .gives(S.cancelled([[0, 2]], "unwanted", now), S.suiteCancelled("graceful", "unwanted", now), S.stopped(now))
  })

  it("stops when the last task has ended, with the outcome that it had", () => {
    const first = given(...cancelled).when(S.report(a, { ended: [S.result(0)] }))
    first.gives(S.ended(a, [{ ...S.result(0), next: "succeeded" }], now))
    given(...cancelled, ...first.events)
      .when(S.report(a, { ended: [S.result(1, 1, "failed")] }))
      .gives(S.ended(a, [{ ...S.result(1, 1, "failed"), next: "failed" }], now), S.stopped(now))
  })

  it("cancels what comes back unstarted", () => {
    given(...cancelled)
      .when(S.report(a, { returned: [[1, 1]] }))
      .gives(S.returned(a, [[1, 1]], "returned", now), S.cancelled([[1, 1]], "the suite is cancelled", now))
  })

  it("lets nothing run again", () => {
    const retrying = [
      S.created(),
      S.submitted(0, S.times(1, { ...S.spec, retry: { limit: 3 } })),
      S.leased(a, [[0, 0, 1]]),
      S.suiteCancelled("graceful", "unwanted")
    ]
    given(...retrying)
      .when(S.report(a, { ended: [S.result(0, 1, "failed")] }))
      .gives(S.ended(a, [{ ...S.result(0, 1, "failed"), next: "failed" }], now), S.stopped(now))
    given(...retrying)
      .when(S.report(a, { ended: [S.result(0, 1, "crashed")] }))
      .gives(
        S.ended(a, [{ ...S.result(0, 1, "crashed"), next: "retry" }], now),
        S.cancelled([[0, 0]], "the suite is cancelled", now),
        S.stopped(now)
      )
    for (const history of [cancelled, stopped])
      given(...history)
        .when(S.lease(a, 5))
        .givesNothing()
  })

  it("can be made one by force afterwards", () => {
    const forced = given(...cancelled).when(S.cancelSuite("force"))
    forced.gives(S.cancellationRequested([[0, 1]], "unwanted", now))
    given(...cancelled, ...forced.events)
      .when(S.cancelSuite("force"))
      .givesNothing()
  })

  it("a second time adds nothing", () => {
    for (const history of [cancelled, stopped])
      given(...history)
        .when(S.cancelSuite("graceful"))
        .givesNothing()
    given(...stopped)
      .when(S.cancelSuite("force"))
      .givesNothing()
  })

  it.each(dead)("is final: %s", (_, history) => {
    for (const command of allCommands) {
      const { events } = given(...history).when(command)
      for (const event of events) {
        assert.notInclude(
          ["SuiteReopened", "SuiteCompleted", "SuiteClosed", "TasksLeased", "TasksRequeued"],
          event._tag
        )
      }
    }
  })
})

describe("maxFails", () => {
  const strict = [S.created({ maxFails: 2 }), S.submitted(0, S.times(5)), S.leased(a, [[0, 3, 1]])]

  it("cancels what is queued after so many failed tasks, and lets finish what was handed out", () => {
    const one = S.ended(a, [{ ...S.result(0, 1, "failed"), next: "failed" }])
    given(...strict)
      .when(S.report(a, { ended: [S.result(0, 1, "failed")] }))
      .gives({ ...one, at: now })
    given(...strict, one)
      .when(S.report(a, { ended: [S.result(1, 1, "timed_out")] }))
      .gives(
        S.ended(a, [{ ...S.result(1, 1, "timed_out"), next: "failed" }], now),
        S.suiteCancelled("graceful", "2 tasks failed (max-fails)", now),
        S.cancelled([[4, 4]], "the suite is cancelled", now)
      )
  })

  it("does not count attempts that are retried", () => {
    const { events } = given(
      S.created({ maxFails: 1, defaults: { retry: { limit: 1 } } }),
      S.submitted(0, S.times(2)),
      S.leased(a, [[0, 0, 1]])
    ).when(S.report(a, { ended: [S.result(0, 1, "failed")] }))
    assert.deepStrictEqual(
      events.map((event) => event._tag),
      ["AttemptsEnded"]
    )
  })

  it("has nothing to cancel when the last task was the one too many: the suite is complete", () => {
    given(S.created({ maxFails: 1 }), S.submitted(0, S.times(1)), S.leased(a, [[0, 0, 1]]))
      .when(S.report(a, { ended: [S.result(0, 1, "failed")] }))
      .gives(S.ended(a, [{ ...S.result(0, 1, "failed"), next: "failed" }], now), S.completed(now))
  })
})
