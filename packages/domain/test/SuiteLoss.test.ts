/**
 * Managers that are lost, come back, are started again, repeat themselves or lie (MIT-088, MIT-127, MIT-129).
 */
/* oxlint-disable vitest/expect-expect -- given/when/gives asserts */
import { assert, describe, it } from "@effect/vitest"
import { crashLimit } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import { maxAttempts } from "@muster/domain/Task/Attempt"
import type { EndedAttempt } from "@muster/domain/Task/Attempt"
import * as S from "./support/SuiteFixtures.ts"
import { a, b, given, now } from "./support/SuiteFixtures.ts"

const a2 = S.session(1, 2)
const c = S.session(3)

const retrying = { ...S.spec, retry: { limit: 1, backoff: 0 } }

/** `a` runs task 0 and has task 1; nobody has task 2. */
const held = [S.created(), S.submitted(0, S.times(3, retrying)), S.leased(a, [[0, 1, 1]]), S.started(a, [[0, 1]])]
const lostAttempt = (index: number, attempt: number, next: EndedAttempt["next"] = "retry"): EndedAttempt => ({
  ...S.result(index, attempt, "lost"),
  finishedAt: now,
  next
})
/** As `held`, with `a` given up for lost. */
const lost = [
  ...held,
  S.ended(a, [{ ...lostAttempt(0, 1), finishedAt: S.at }]),
  S.returned(a, [[1, 1]], "manager_lost")
]

describe("a lost manager", () => {
  it("loses the attempts that it had begun, and gives back the others uncounted", () => {
    given(...held)
      .when(S.reclaim(a))
      .gives(S.ended(a, [lostAttempt(0, 1)], now), S.returned(a, [[1, 1]], "manager_lost", now))
    given(...lost)
      .when(S.lease(b, 5))
      .gives(
        S.leased(
          b,
          [
            [0, 0, 2],
            [1, 2, 1]
          ],
          now
        )
      )
  })

  it("reopens a closed suite (MIT-088)", () => {
    given(...held, S.closed())
      .when(S.reclaim(a))
      .gives(
        S.ended(a, [lostAttempt(0, 1)], now),
        S.returned(a, [[1, 1]], "manager_lost", now),
        S.reopened("manager_lost", now)
      )
  })

  it("of older sessions loses what these held, and only that", () => {
    const history = [...held, S.leased(a2, [[2, 2, 1]])]
    given(...history)
      .when(S.reclaim(a))
      .gives(S.ended(a, [lostAttempt(0, 1)], now), S.returned(a, [[1, 1]], "manager_lost", now))
    given(...history)
      .when(S.reclaim(a2))
      .gives(
        S.ended(a, [lostAttempt(0, 1)], now),
        S.returned(a, [[1, 1]], "manager_lost", now),
        S.returned(a2, [[2, 2]], "manager_lost", now)
      )
  })

  it("a second time loses nothing", () => {
    given(...held)
      .when(S.reclaim(a), S.reclaim(a))
      .givesNothing()
  })

  it("that held nothing loses nothing, but gets nothing more either", () => {
    const over = given(...held).when(S.reclaim(b))
    over.gives(S.returned(b, [], "manager_lost", now))
    const history = [...held, ...over.events]
    given(...history)
      .when(S.reclaim(b))
      .givesNothing()
    given(...history)
      .when(S.lease(b, 1))
      .givesNothing()
    given(...history)
      .when(S.lease(S.session(2, 2), 1))
      .gives(S.leased(S.session(2, 2), [[2, 2, 1]], now))
  })

  it("gets nothing more, whatever it held and however late it asks", () => {
    for (const history of [held, held.slice(0, 3), [...held, S.returned(a, [[1, 1]], "returned")]]) {
      const { events } = given(...history).when(S.reclaim(a))
      given(...history, ...events)
        .when(S.lease(a, 1))
        .givesNothing()
      given(...history, ...events)
        .when(S.reclaim(a))
        .givesNothing()
    }
  })

  it("of a cancelled suite, where nobody gets anything, needs no word on that", () => {
    given(...held.slice(0, 2), S.cancelled([[0, 2]], "unwanted"), S.suiteCancelled("graceful", "unwanted"), S.stopped())
      .when(S.reclaim(a))
      .givesNothing()
  })

  it("settles what was to be cancelled", () => {
    given(...held, S.cancellationRequested([[0, 1]], "unwanted"))
      .when(S.reclaim(a))
      .gives(
        S.ended(a, [lostAttempt(0, 1, "cancelled")], now),
        S.returned(a, [[1, 1]], "manager_lost", now),
        S.cancelled([[1, 1]], "cancelled while leased", now)
      )
  })

  it("of a cancelled suite lets nothing run again", () => {
    given(...held, S.cancelled([[2, 2]], "unwanted"), S.suiteCancelled("graceful", "unwanted"))
      .when(S.reclaim(a))
      .gives(
        S.ended(a, [lostAttempt(0, 1)], now),
        S.returned(a, [[1, 1]], "manager_lost", now),
        S.cancelled([[0, 1]], "the suite is cancelled", now),
        S.stopped(now)
      )
  })

  it("fails a task that was under way when too many were lost", () => {
    const history: Array<SuiteEvent> = [S.created(), S.submitted(0, S.times(1, retrying))]
    for (let attempt = 1; attempt < crashLimit; attempt++) {
      history.push(S.leased(a, [[0, 0, attempt]]), S.started(a, [[0, attempt]]), S.ended(a, [lostAttempt(0, attempt)]))
    }
    given(...history, S.leased(b, [[0, 0, crashLimit]]), S.started(b, [[0, crashLimit]]))
      .when(S.reclaim(b))
      .gives(
        S.ended(b, [lostAttempt(0, crashLimit, "failed")], now),
        S.returned(b, [], "manager_lost", now),
        S.completed(now)
      )
  })

  it("that only had the task in its buffer does no harm to it, however often", () => {
    const history: Array<SuiteEvent> = [S.created(), S.submitted(0, S.times(1))]
    for (let round = 0; round < 10; round++) {
      history.push(S.leased(a, [[0, 0, 1]]), S.returned(a, [[0, 0]], "manager_lost"))
    }
    given(...history)
      .when(S.lease(b, 1))
      .gives(S.leased(b, [[0, 0, 1]], now))
  })
})

describe("a result that comes late", () => {
  it("counts when the task is open and nobody has it: of a lost attempt", () => {
    given(...lost)
      .when(S.report(a, { ended: [S.result(0)] }))
      .gives(S.ended(a, [{ ...S.result(0), next: "succeeded" }], now))
  })

  it("counts when the task is open and nobody has it: of a task that was thought not to have begun", () => {
    given(...lost)
      .when(S.report(a, { ended: [S.result(1)] }))
      .gives(S.ended(a, [{ ...S.result(1), next: "succeeded" }], now))
  })

  it("counts from a later session of the same manager", () => {
    given(...lost)
      .when(S.report(a2, { ended: [S.result(0), S.result(1)] }))
      .gives(
        S.ended(
          a2,
          [
            { ...S.result(0), next: "succeeded" },
            { ...S.result(1), next: "succeeded" }
          ],
          now
        )
      )
  })

  it("counts even if the session's end is not known here yet", () => {
    given(...held)
      .when(S.report(a2, { ended: [S.result(0)] }))
      .gives(S.ended(a2, [{ ...S.result(0), next: "succeeded" }], now))
  })

  it("counts while the task waits for another attempt's retry", () => {
    const failedElsewhere = [
      ...lost,
      S.leased(b, [[0, 0, 2]]),
      S.ended(b, [{ ...S.result(0, 2, "failed"), next: "retry", retryAt: now + 60_000 }])
    ]
    given(...failedElsewhere)
      .when(S.report(a, { ended: [S.result(0, 1)] }))
      .gives(S.ended(a, [{ ...S.result(0, 1), next: "succeeded" }], now))
  })

  it("that failed takes the place of the loss: against the retries, not against the crash limit", () => {
    const [event] = given(...lost).when(S.report(a, { ended: [S.result(0, 1, "failed")] })).events
    assert.strictEqual(event?._tag === "AttemptsEnded" && event.attempts[0]?.next, "retry")
    const counted = [
      ...lost,
      S.ended(a, [{ ...S.result(0, 1, "failed"), next: "retry" }]),
      S.leased(b, [[0, 0, 2]]),
      S.ended(b, [{ ...S.result(0, 2, "crashed"), next: "retry" }]),
      S.leased(b, [[0, 0, 3]])
    ]
    given(...counted)
      .when(S.report(b, { ended: [S.result(0, 3, "crashed")] }))
      .gives(S.ended(b, [{ ...S.result(0, 3, "crashed"), next: "retry" }], now))
    given(...counted)
      .when(S.report(b, { ended: [S.result(0, 3, "failed")] }))
      .gives(S.ended(b, [{ ...S.result(0, 3, "failed"), next: "failed" }], now))
  })

  it.each([
    ["has it", []],
    ["runs it", [S.started(b, [[0, 2]])]],
    ["has settled it", [S.ended(b, [{ ...S.result(0, 2), next: "succeeded" }])]],
    ["has failed with it", [S.ended(b, [{ ...S.result(0, 2, "failed"), next: "failed" }])]]
  ] as const)("of a lost attempt is evidence when somebody else %s", (_, more) => {
    given(...lost, S.leased(b, [[0, 0, 2]]), ...more)
      .when(S.report(a, { ended: [S.result(0)] }))
      .gives(S.late(a, [S.result(0)], now))
  })

  it.each([
    ["has it", []],
    ["runs it", [S.started(b, [[1, 1]])]],
    ["has settled it", [S.ended(b, [{ ...S.result(1), next: "succeeded" }])]],
    ["failed with it", [S.ended(b, [{ ...S.result(1, 1, "failed"), next: "retry", retryAt: S.at }])]],
    ["tries it again", [S.ended(b, [{ ...S.result(1, 1, "failed"), next: "retry" }]), S.leased(c, [[1, 1, 2]])]]
  ] as const)("of a task thought not to have begun is evidence when somebody else %s", (_, more) => {
    given(...lost, S.leased(b, [[1, 1, 1]]), ...more)
      .when(S.report(a, { ended: [S.result(1)] }))
      .gives(S.late(a, [S.result(1)], now))
  })

  it("is evidence when the task was cancelled meanwhile", () => {
    given(...lost, S.cancelled([[0, 1]], "unwanted"))
      .when(S.report(a, { ended: [S.result(0), S.result(1)] }))
      .gives(S.late(a, [S.result(0), S.result(1)], now))
  })

  it("is evidence once", () => {
    const again = S.report(a, { ended: [S.result(0), S.result(0)] })
    const history = [...lost, S.leased(b, [[0, 0, 2]]), S.ended(b, [{ ...S.result(0, 2), next: "succeeded" }])]
    given(...history)
      .when(again)
      .gives(S.late(a, [S.result(0)], now))
    given(...history)
      .when(again, again)
      .givesNothing()
  })

  it("counts once", () => {
    const again = S.report(a, { ended: [S.result(0), S.result(1, 1, "failed")] })
    given(...lost)
      .when(again, again)
      .givesNothing()
  })

  it("is the new lease's result when the same manager has the task again under the same number", () => {
    given(...lost, S.leased(a2, [[1, 1, 1]]))
      .when(S.report(a2, { ended: [S.result(1)] }), S.report(a2, { ended: [S.result(1)] }))
      .givesNothing()
  })

  it("does not hide the result of the next attempt in the same report", () => {
    given(...lost, S.leased(a2, [[0, 0, 2]]))
      .when(S.report(a2, { ended: [S.result(0, 1, "failed"), S.result(0, 2)] }))
      .gives(S.ended(a2, [{ ...S.result(0, 2), next: "succeeded" }], now), S.late(a2, [S.result(0, 1, "failed")], now))
    given(...lost, S.leased(a2, [[0, 0, 2]]))
      .when(S.report(a2, { started: [[0, 2]], ended: [S.result(0, 1, "failed")] }))
      .gives(S.started(a2, [[0, 2]], now), S.late(a2, [S.result(0, 1, "failed")], now))
  })

  it("comes too late for a task that another result in the same report has settled", () => {
    const twice = [
      S.created(),
      S.submitted(0, S.times(2)),
      S.leased(a, [[0, 0, 1]]),
      S.ended(a, [lostAttempt(0, 1)]),
      S.leased(a2, [[0, 0, 2]]),
      S.ended(a2, [lostAttempt(0, 2)])
    ]
    given(...twice)
      .when(S.report(a2, { ended: [S.result(0, 2), S.result(0, 1)] }))
      .gives(S.ended(a2, [{ ...S.result(0, 2), next: "succeeded" }], now), S.late(a2, [S.result(0, 1)], now))
  })

  it("that only says that the attempt was lost is known already", () => {
    const history = [...lost, S.leased(b, [[1, 1, 1]])]
    given(...history)
      .when(S.report(a, { ended: [S.result(0, 1, "lost")] }))
      .givesNothing()
  })
})

describe("a repeated result", () => {
  it("of an attempt that is settled adds nothing", () => {
    given(...held, S.ended(a, [{ ...S.result(0), next: "succeeded" }]))
      .when(S.report(a, { ended: [S.result(0)] }))
      .givesNothing()
  })

  it.each([
    ["nobody", []],
    ["the same manager", [S.leased(a, [[0, 0, 2]])]],
    ["another manager", [S.leased(b, [[0, 0, 2]])]]
  ] as const)("of an attempt that is retried adds nothing while %s has the task", (_, more) => {
    given(...held, S.ended(a, [{ ...S.result(0, 1, "failed"), next: "retry", retryAt: S.at }]), ...more)
      .when(S.report(a, { ended: [S.result(0, 1, "failed")] }))
      .givesNothing()
  })

  it("of a task that was put back by hand adds nothing", () => {
    given(...held, S.ended(a, [{ ...S.result(0, 1, "failed"), next: "failed" }]), S.requeued([[0, 0]]))
      .when(S.report(a, { ended: [S.result(0, 1, "failed")] }))
      .givesNothing()
  })
})

describe("a manager that lies", () => {
  it.each([
    ["an index beyond the last", 3, 1],
    ["a large index", 2 ** 31 - 2, 1],
    ["a negative index", -1, 1],
    ["an index that is no integer", 0.5, 1],
    ["an attempt from the future", 0, 2],
    ["an attempt from the far future", 0, maxAttempts],
    ["a task that nobody has", 2, 1]
  ])("about %s changes nothing, and adds nothing to the log", (_, index, attempt) => {
    given(...held)
      .when(
        S.report(a, {
          started: [[index, attempt]],
          ended: [S.result(index, attempt)],
          returned: [[index, attempt]]
        })
      )
      .givesNothing()
  })

  it.each([
    ["another manager", b],
    ["an older session", S.session(1, 0)],
    ["another manager's later session", S.session(2, 9)]
  ])("about what somebody else has changes nothing: %s", (_, who) => {
    given(...held)
      .when(
        S.report(who, {
          started: [[1, 1]],
          ended: [S.result(0)],
          returned: [[1, 1]]
        })
      )
      .givesNothing()
  })

  it("about what another one lost changes nothing", () => {
    given(...lost)
      .when(S.report(b, { ended: [S.result(1)] }))
      .givesNothing()
    given(...lost)
      .when(S.report(b, { ended: [S.result(0)] }))
      .givesNothing()
  })

  it("about an attempt that never was, once it is over, adds nothing", () => {
    given(...lost)
      .when(S.report(a, { ended: [S.result(0, 0)] }))
      .givesNothing()
  })

  it("cannot use up a task's attempts by repeating itself", () => {
    const again = S.report(a, { ended: [S.result(0, 1, "lost")] })
    given(...held)
      .when(again, again)
      .givesNothing()
    given(...lost)
      .when(again)
      .givesNothing()
  })
})
