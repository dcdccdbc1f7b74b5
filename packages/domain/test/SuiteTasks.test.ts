/**
 * The tasks of a suite: handed out, tried, tried again, cancelled, settled.
 */
/* oxlint-disable vitest/expect-expect -- given/when/gives asserts */
import { assert, describe, it } from "@effect/vitest"
import { crashLimit, decider } from "@muster/domain/Suite/Decider"
import { SuiteIsCancelled, TaskNotFound, TaskStateConflict } from "@muster/domain/Suite/Errors"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as State from "@muster/domain/Suite/State"
import { maxAttempts } from "@muster/domain/Task/Attempt"
import type { Outcome } from "@muster/domain/Task/Attempt"
import type { RetryPolicy } from "@muster/domain/Task/Spec"
import { replay } from "@muster/domain/Decider"
import * as S from "./support/SuiteFixtures.ts"
import { a, b, given, now } from "./support/SuiteFixtures.ts"

const queued = [S.created(), S.submitted(0, S.times(5))]
const priority = (value: number) => ({ ...S.spec, priority: value })

describe("a lease", () => {
  it("takes the oldest tasks as one range", () => {
    given(...queued)
      .when(S.lease(a, 3))
      .gives(S.leased(a, [[0, 2, 1]], now))
    given(...queued, S.leased(a, [[0, 2, 1]]))
      .when(S.lease(b, 10))
      .gives(S.leased(b, [[3, 4, 1]], now))
  })

  it("takes higher priorities first, then older tasks", () => {
    given(
      S.created(),
      S.submitted(0, [priority(0), priority(5), S.spec, priority(-1)]),
      S.submitted(4, [priority(5), priority(5)])
    )
      .when(S.lease(a, 10))
      .gives(
        S.leased(
          a,
          [
            [1, 1, 1],
            [4, 5, 1],
            [0, 0, 1],
            [2, 3, 1]
          ],
          now
        )
      )
  })

  it("gives each range the number of its next attempt", () => {
    given(
      ...queued,
      S.leased(a, [[0, 2, 1]]),
      S.ended(a, [{ ...S.result(1, 1, "crashed"), next: "retry" }]),
      S.returned(
        a,
        [
          [0, 0],
          [2, 2]
        ],
        "returned"
      )
    )
      .when(S.lease(b, 4))
      .gives(
        S.leased(
          b,
          [
            [0, 0, 1],
            [1, 1, 2],
            [2, 3, 1]
          ],
          now
        )
      )
  })

  it("joins neighbours only when they follow each other in rank and have the same attempt", () => {
    given(S.created(), S.submitted(0, [priority(1), priority(2), priority(3)]))
      .when(S.lease(a, 3))
      .gives(
        S.leased(
          a,
          [
            [2, 2, 1],
            [1, 1, 1],
            [0, 0, 1]
          ],
          now
        )
      )
  })

  it("of what is not there gives nothing", () => {
    given(S.created()).when(S.lease(a, 1)).givesNothing()
  })

  it("of nothing is said, so that whoever still has the command in its memory is fenced", () => {
    for (const history of [queued, [...queued, S.paused()], [...queued, S.leased(S.session(1, 2), [[0, 0, 1]])]]) {
      for (const max of [0, -1]) {
        given(...history)
          .when(S.lease(a, max))
          .gives(S.returned(a, [], "returned", now))
      }
    }
    // Nothing will ever be leased to these.
    given(S.created(), S.suiteCancelled("graceful", "test"), S.stopped()).when(S.lease(a, 0)).givesNothing()
    given(...queued, S.returned(a, [], "manager_lost"))
      .when(S.lease(a, 0))
      .givesNothing()
  })

  it("is refused to an older session of a manager whose newer one holds tasks", () => {
    given(...queued, S.leased(S.session(1, 2), [[0, 0, 1]]))
      .when(S.lease(S.session(1, 1), 1))
      .givesNothing()
    given(...queued, S.leased(S.session(1, 2), [[0, 0, 1]]))
      .when(S.lease(S.session(1, 3), 1))
      .gives(S.leased(S.session(1, 3), [[1, 1, 1]], now))
  })

  it("leaves delayed tasks until their time, and then hands them out by rank", () => {
    const until = now + 5_000
    const history = [
      ...queued,
      S.leased(a, [[0, 2, 1]]),
      S.ended(a, [{ ...S.result(1, 1, "failed"), next: "retry", retryAt: until }])
    ]
    given(...history)
      .when(S.lease(b, 5, until - 1))
      .gives(S.leased(b, [[3, 4, 1]], until - 1))
    given(...history)
      .when(S.lease(b, 2, until))
      .gives(
        S.leased(
          b,
          [
            [1, 1, 2],
            [3, 3, 1]
          ],
          until
        )
      )
    const state = replay(decider, history)
    assert.strictEqual(state._tag === "Existing" && State.nextRetryAt(state), until)
  })

  it("leaves what was due but not taken for the next one, even if the clock was set back", () => {
    const due = S.ended(a, [
      { ...S.result(0, 1, "failed"), next: "retry", retryAt: now },
      { ...S.result(1, 1, "failed"), next: "retry", retryAt: now }
    ])
    given(S.created(), S.submitted(0, S.times(2)), S.leased(a, [[0, 1, 1]]), due, S.leased(b, [[0, 0, 2]], now))
      .when(S.lease(a, 5, now - 10))
      .gives(S.leased(a, [[1, 1, 2]], now - 10))
  })
})

describe("a report", () => {
  const history = [...queued, S.leased(a, [[0, 3, 1]])]

  it("says what began", () => {
    given(...history)
      .when(
        S.report(a, {
          started: [
            [0, 1],
            [2, 1]
          ]
        })
      )
      .gives(
        S.started(
          a,
          [
            [0, 1],
            [2, 1]
          ],
          now
        )
      )
  })

  it("says what began once", () => {
    given(...history)
      .when(
        S.report(a, {
          started: [
            [0, 1],
            [0, 1]
          ]
        })
      )
      .gives(S.started(a, [[0, 1]], now))
    given(...history, S.started(a, [[0, 1]]))
      .when(S.report(a, { started: [[0, 1]] }))
      .givesNothing()
  })

  it("does not say that something began which ended in the same report", () => {
    given(...history)
      .when(S.report(a, { started: [[0, 1]], ended: [S.result(0)] }))
      .gives(S.ended(a, [{ ...S.result(0), next: "succeeded" }], now))
  })

  it("keeps all that the manager said of the attempt", () => {
    const told = {
      index: 2,
      attempt: 1,
      outcome: "failed",
      exitCode: 3,
      startedAt: S.at,
      finishedAt: S.at + 5,
      duration: 4.25,
      stdout: "out",
      stderr: "err",
      stdoutBytes: 10_000,
      output: { a: [1] },
      peakMemory: 4_096,
      message: "why"
    } as const
    given(...history)
      .when(S.report(a, { ended: [told] }))
      .gives(S.ended(a, [{ ...told, next: "failed" }], now))
  })

  it("gives back what was not begun, uncounted", () => {
    given(...history)
      .when(
        S.report(a, {
          returned: [
            [3, 1],
            [1, 1],
            [2, 1]
          ]
        })
      )
      .gives(S.returned(a, [[1, 3]], "returned", now))
    given(...history, S.returned(a, [[1, 3]], "returned"))
      .when(S.lease(b, 5))
      .gives(S.leased(b, [[1, 4, 1]], now))
  })

  it("cannot give back what has begun", () => {
    given(...history, S.started(a, [[0, 1]]))
      .when(S.report(a, { returned: [[0, 1]] }))
      .givesNothing()
    given(...history)
      .when(S.report(a, { started: [[0, 1]], returned: [[0, 1]] }))
      .gives(S.started(a, [[0, 1]], now))
  })

  it("takes the first of two results of one attempt", () => {
    given(...history)
      .when(S.report(a, { ended: [S.result(0, 1, "failed"), S.result(0, 1, "succeeded")] }))
      .gives(S.ended(a, [{ ...S.result(0, 1, "failed"), next: "failed" }], now))
  })

  it("that comes again adds nothing", () => {
    const again = S.report(a, { started: [[0, 1]], ended: [S.result(1)], returned: [[2, 1]] })
    given(...history)
      .when(again, again)
      .givesNothing()
  })

  it("of tasks that were never leased adds nothing", () => {
    given(...history)
      .when(S.report(a, { ended: [S.result(4)] }))
      .givesNothing()
  })
})

describe("outcomes", () => {
  const held = (retry?: RetryPolicy) => [
    S.created(),
    S.submitted(0, [retry === undefined ? S.spec : { ...S.spec, retry }]),
    S.leased(a, [[0, 0, 1]])
  ]
  const nextOf = (history: ReadonlyArray<SuiteEvent>, attempt: number, outcome: Outcome) => {
    const [event] = given(...history).when(S.report(a, { ended: [S.result(0, attempt, outcome)] })).events
    if (event?._tag !== "AttemptsEnded") return assert.fail(`unexpected ${event?._tag}`)
    return event.attempts[0]?.next
  }

  it.each([
    ["succeeded", "succeeded"],
    ["failed", "failed"],
    ["timed_out", "failed"],
    ["not_started", "failed"],
    ["crashed", "retry"],
    ["lost", "retry"],
    ["cancelled", "retry"],
    ["lease_lost", "retry"]
  ] as const)("%s without retries leads to %s", (outcome, next) => {
    assert.strictEqual(nextOf(held(), 1, outcome), next)
  })

  it.each([
    ["succeeded", "succeeded"],
    ["failed", "retry"],
    ["timed_out", "retry"],
    ["not_started", "retry"],
    ["crashed", "retry"],
    ["lost", "retry"],
    ["cancelled", "retry"],
    ["lease_lost", "retry"]
  ] as const)("%s with retries leads to %s", (outcome, next) => {
    assert.strictEqual(nextOf(held({ limit: 1 }), 1, outcome), next)
  })

  it.each([
    ["succeeded", "succeeded"],
    ["failed", "cancelled"],
    ["timed_out", "cancelled"],
    ["not_started", "cancelled"],
    ["crashed", "cancelled"],
    ["lost", "cancelled"],
    ["cancelled", "cancelled"],
    ["lease_lost", "cancelled"]
  ] as const)("%s after a request to cancel leads to %s", (outcome, next) => {
    const history = [...held({ limit: 5 }), S.cancellationRequested([[0, 0]], "unwanted")]
    assert.strictEqual(nextOf(history, 1, outcome), next)
  })

  it("counts failures against the limit of retries, whatever kind they are", () => {
    const history = [...held({ limit: 2, backoff: 0 })]
    for (const [place, outcome] of (["failed", "timed_out"] as const).entries()) {
      assert.strictEqual(nextOf(history, place + 1, outcome), "retry")
      history.push(
        S.ended(a, [{ ...S.result(0, place + 1, outcome), next: "retry", retryAt: S.at }]),
        S.leased(a, [[0, 0, place + 2]])
      )
    }
    assert.strictEqual(nextOf(history, 3, "not_started"), "failed")
  })

  it.each(["crashed", "lost", "cancelled"] as const)(
    "fails a task after too many attempts that ended as %s",
    (outcome) => {
      const history = [...held({ limit: 100 })]
      for (let attempt = 1; attempt < crashLimit; attempt++) {
        assert.strictEqual(nextOf(history, attempt, outcome), "retry")
        history.push(
          S.ended(a, [{ ...S.result(0, attempt, outcome), next: "retry" }]),
          S.leased(a, [[0, 0, attempt + 1]])
        )
      }
      assert.strictEqual(nextOf(history, crashLimit, outcome), "failed")
    }
  )

  it("counts nothing of an attempt that ended with its machine's lease", () => {
    const history = [...held()]
    for (let attempt = 1; attempt < 10; attempt++) {
      assert.strictEqual(nextOf(history, attempt, "lease_lost"), "retry")
      history.push(
        S.ended(a, [{ ...S.result(0, attempt, "lease_lost"), next: "retry" }]),
        S.leased(a, [[0, 0, attempt + 1]])
      )
    }
    assert.strictEqual(nextOf(history, 10, "crashed"), "retry")
    assert.strictEqual(nextOf(history, 10, "failed"), "failed")
  })

  it("counts crashes and failures apart", () => {
    const history = [
      ...held({ limit: 1 }),
      S.ended(a, [{ ...S.result(0, 1, "crashed"), next: "retry" }]),
      S.leased(a, [[0, 0, 2]]),
      S.ended(a, [{ ...S.result(0, 2, "crashed"), next: "retry" }]),
      S.leased(a, [[0, 0, 3]])
    ]
    assert.strictEqual(nextOf(history, 3, "failed"), "retry")
    assert.strictEqual(nextOf(history, 3, "crashed"), "failed")
  })

  it("takes the suite's policy where the task has none", () => {
    const history = (task: RetryPolicy | undefined) => [
      S.created({ defaults: { retry: { limit: 1 } } }),
      S.submitted(0, [task === undefined ? S.spec : { ...S.spec, retry: task }]),
      S.leased(a, [[0, 0, 1]])
    ]
    assert.strictEqual(nextOf(history(undefined), 1, "failed"), "retry")
    assert.strictEqual(nextOf(history({ limit: 0 }), 1, "failed"), "failed")
  })

  it("fails a task that has had all attempts that a task can have", () => {
    const history = [
      ...held({ limit: 100 }),
      S.ended(a, [{ ...S.result(0, maxAttempts - 1, "crashed"), next: "retry" }])
    ]
    assert.strictEqual(nextOf([...history, S.leased(a, [[0, 0, maxAttempts]])], maxAttempts, "crashed"), "failed")
    assert.strictEqual(nextOf([...history, S.leased(a, [[0, 0, maxAttempts]])], maxAttempts, "failed"), "failed")
  })
})

describe("the wait before a retry", () => {
  const waits = (retry: RetryPolicy, failures: number, random = 0.5): number => {
    const history = [S.created(), S.submitted(0, [{ ...S.spec, retry }]), S.leased(a, [[0, 0, 1]])]
    for (let attempt = 1; attempt <= failures; attempt++) {
      history.push(
        S.ended(a, [{ ...S.result(0, attempt, "failed"), next: "retry", retryAt: S.at }]),
        S.leased(a, [[0, 0, attempt + 1]])
      )
    }
    const command = S.report(a, { ended: [S.result(0, failures + 1, "failed")], random })
    const [event] = given(...history).when(command).events
    if (event?._tag !== "AttemptsEnded") return assert.fail(`unexpected ${event?._tag}`)
    return (event.attempts[0]?.retryAt ?? Number.NaN) - now
  }

  it("grows by the factor", () => {
    const policy = { limit: 10, backoff: 100, factor: 3, jitter: 0 }
    assert.deepStrictEqual(
      [0, 1, 2, 3].map((failures) => waits(policy, failures)),
      [100, 300, 900, 2_700]
    )
  })

  it("has defaults: a second, twice as long each time, a minute at most", () => {
    assert.deepStrictEqual(
      [0, 1, 5, 6, 7].map((failures) => waits({ limit: 10, jitter: 0 }, failures)),
      [1_000, 2_000, 32_000, 60_000, 60_000]
    )
  })

  it("is spread by the jitter", () => {
    const policy = { limit: 1, backoff: 1_000, jitter: 0.2 }
    assert.strictEqual(waits(policy, 0, 0), 800)
    assert.strictEqual(waits(policy, 0, 0.5), 1_000)
    assert.strictEqual(waits(policy, 0, 0.999_999), 1_200)
    assert.strictEqual(waits({ limit: 1, backoff: 1_000, jitter: 1 }, 0, 0), 0)
  })

  it("is never longer than the limit, and still spread there", () => {
    const policy = { limit: 100, backoff: 1_000, factor: 10, maxBackoff: 5_000, jitter: 0.5 }
    assert.strictEqual(waits(policy, 20, 0), 2_500)
    assert.strictEqual(waits(policy, 20, 0.5), 3_750)
    assert.strictEqual(waits(policy, 20, 0.999_999), 5_000)
    assert.strictEqual(waits(policy, 99, 0.999_999), 5_000)
    assert.strictEqual(waits({ limit: 1, backoff: 9_000, maxBackoff: 0 }, 0), 0)
  })

  it("differs between tasks that failed together", () => {
    const { events } = given(
      S.created({ defaults: { retry: { limit: 1 } } }),
      S.submitted(0, S.times(100)),
      S.leased(a, [[0, 99, 1]])
    ).when(S.report(a, { ended: Array.from({ length: 100 }, (_, index) => S.result(index, 1, "failed")) }))
    const [event] = events
    if (event?._tag !== "AttemptsEnded") return assert.fail("no attempts ended")
    const waited = event.attempts.map((attempt) => (attempt.retryAt ?? 0) - now)
    assert.isAbove(new Set(waited).size, 80)
    for (const wait of waited) assert.isTrue(wait >= 800 && wait <= 1_200, String(wait))
  })
})

describe("cancelling tasks", () => {
  const history = [...queued, S.leased(a, [[0, 1, 1]]), S.started(a, [[0, 1]])]

  it("ends what is queued at once, and asks for the end of what was handed out", () => {
    given(...history)
      .when(S.cancelTasks([4, 0, 2, 1]))
      .gives(
        S.cancelled(
          [
            [2, 2],
            [4, 4]
          ],
          "unwanted",
          now
        ),
        S.cancellationRequested([[0, 1]], "unwanted", now)
      )
  })

  it("ends what was handed out only when its end was seen", () => {
    const request = S.cancellationRequested([[0, 1]], "unwanted")
    const asked = replay(decider, [...history, request])
    assert.strictEqual(asked._tag === "Existing" && State.taskCounts(asked).running, 1)
    assert.strictEqual(asked._tag === "Existing" && State.taskCounts(asked).cancelled, 0)
    given(...history, request)
      .when(S.report(a, { ended: [S.result(0, 1, "cancelled")], returned: [[1, 1]] }))
      .gives(
        S.ended(a, [{ ...S.result(0, 1, "cancelled"), next: "cancelled" }], now),
        S.returned(a, [[1, 1]], "returned", now),
        S.cancelled([[1, 1]], "cancelled while leased", now)
      )
  })

  it("does not hold for a later attempt", () => {
    given(
      ...history,
      S.cancellationRequested([[0, 0]], "unwanted"),
      S.ended(a, [{ ...S.result(0, 1, "cancelled"), next: "cancelled" }]),
      S.requeued([[0, 0]]),
      S.leased(a, [[0, 0, 2]])
    )
      .when(S.report(a, { ended: [S.result(0, 2, "failed")] }))
      .gives(S.ended(a, [{ ...S.result(0, 2, "failed"), next: "failed" }], now))
  })

  it("ends delayed tasks, which do not come back", () => {
    const delayed = [
      ...history,
      S.ended(a, [{ ...S.result(0, 1, "failed"), next: "retry", retryAt: now + 10 }]),
      S.cancelled([[0, 0]], "unwanted")
    ]
    given(...delayed)
      .when(S.lease(b, 5, now + 10))
      .gives(S.leased(b, [[2, 4, 1]], now + 10))
    const state = replay(decider, delayed)
    assert.isUndefined(state._tag === "Existing" ? State.nextRetryAt(state) : 0)
  })

  it("a second time adds nothing", () => {
    given(...history)
      .when(S.cancelTasks([0, 1, 2]), S.cancelTasks([0, 1, 2]))
      .givesNothing()
  })

  it("passes over what is settled, unless that is all", () => {
    const settled = [...history, S.ended(a, [{ ...S.result(0), next: "succeeded" }])]
    given(...settled)
      .when(S.cancelTasks([0, 2]))
      .gives(S.cancelled([[2, 2]], "unwanted", now))
    given(...settled)
      .when(S.cancelTasks([0]))
      .isRefused(
        new TaskStateConflict({
          taskId: S.task(0),
          state: "succeeded",
          allowed: "it is queued, assigned or running"
        })
      )
  })

  it("is refused when one of them does not exist", () => {
    given(...history)
      .when(S.cancelTasks([2, 5]))
      .isRefused(new TaskNotFound({ taskId: S.task(5) }))
  })
})

describe("retrying tasks by hand", () => {
  const settled = [
    ...queued,
    S.leased(a, [[0, 2, 1]]),
    S.ended(a, [
      { ...S.result(0), next: "succeeded" },
      { ...S.result(1, 1, "failed"), next: "failed" },
      { ...S.result(2, 1, "failed"), next: "failed" }
    ]),
    S.cancelled([[3, 3]], "unwanted")
  ]

  it("puts all failed ones back, or the given ones, cancelled ones included", () => {
    given(...settled)
      .when(S.retry("failed"))
      .gives(S.requeued([[1, 2]], now))
    given(...settled)
      .when(S.retry([3, 1, 3]))
      .gives(
        S.requeued(
          [
            [1, 1],
            [3, 3]
          ],
          now
        )
      )
  })

  it("reopens a suite that was closed or complete", () => {
    given(...settled, S.closed())
      .when(S.retry([1]))
      .gives(S.requeued([[1, 1]], now), S.reopened("retry", now))
    given(...settled, S.cancelled([[4, 4]], "unwanted"), S.completed())
      .when(S.retry("failed"))
      .gives(S.requeued([[1, 2]], now), S.reopened("retry", now))
  })

  it("gives them the next attempt and all of their retries", () => {
    const history = [
      S.created({ defaults: { retry: { limit: 1, backoff: 0 } } }),
      S.submitted(0, S.times(2)),
      S.leased(a, [[0, 0, 1]]),
      S.ended(a, [{ ...S.result(0, 1, "failed"), next: "retry", retryAt: S.at }]),
      S.leased(a, [[0, 0, 2]]),
      S.ended(a, [{ ...S.result(0, 2, "failed"), next: "failed" }]),
      S.requeued([[0, 0]])
    ]
    given(...history)
      .when(S.lease(a, 1))
      .gives(S.leased(a, [[0, 0, 3]], now))
    const { events } = given(...history, S.leased(a, [[0, 0, 3]])).when(
      S.report(a, { ended: [S.result(0, 3, "failed")] })
    )
    assert.strictEqual(events[0]?._tag === "AttemptsEnded" && events[0].attempts[0]?.next, "retry")
  })

  it("of no failed task is nothing", () => {
    given(...queued)
      .when(S.retry("failed"))
      .givesNothing()
    given(...queued)
      .when(S.retry([]))
      .givesNothing()
  })

  it.each([
    ["succeeded", 0],
    ["queued", 4]
  ] as const)("is refused when a task is %s", (state, index) => {
    given(...settled)
      .when(S.retry([1, index]))
      .isRefused(new TaskStateConflict({ taskId: S.task(index), state, allowed: "it has failed or is cancelled" }))
  })

  it("is refused when one of them does not exist", () => {
    given(...settled)
      .when(S.retry([1, 5]))
      .isRefused(new TaskNotFound({ taskId: S.task(5) }))
  })

  it("is refused when a task has had all attempts that a task can have", () => {
    const worn = S.ended(a, [{ ...S.result(1, maxAttempts, "failed"), next: "failed" }])
    given(...queued, S.leased(a, [[0, 2, 1]]), worn)
      .when(S.retry("failed"))
      .isRefused(
        new TaskStateConflict({
          taskId: S.task(1),
          state: "failed",
          allowed: `it has had fewer than ${maxAttempts} attempts`
        })
      )
  })

  it("is refused when the suite is cancelled", () => {
    given(...settled, S.suiteCancelled("graceful", "unwanted"))
      .when(S.retry("failed"))
      .isRefused(new SuiteIsCancelled({ suiteId: S.id }))
  })
})
