import { assert, describe, it } from "@effect/vitest"
import { decider as poolDecider } from "@muster/domain/Coordinator/Decider"
import type { CoordinatorEvent } from "@muster/domain/Coordinator/Events"
import { replay } from "@muster/domain/Decider"
import * as Explain from "@muster/domain/Explanation/Explain"
import type { Noted } from "@muster/domain/Explanation/History"
import type { TaskExplanation } from "@muster/domain/Explanation/View"
import { decider as managerDecider } from "@muster/domain/Manager/Decider"
import type { ManagerEvent } from "@muster/domain/Manager/Events"
import type { ManagerId } from "@muster/domain/Manager/Id"
import { decider as suiteDecider } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import type { SuiteSpec } from "@muster/domain/Suite/Spec"
import type { EndedAttempt } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { workerId } from "@muster/domain/Worker/Id"
import * as Given from "./support/Arbitraries.ts"
import * as Suite from "./support/SuiteFixtures.ts"

const start = Given.start
const [one, two] = [Given.manager(1), Given.manager(2)]

/** Who did it: managers what they report, an admin all else. */
const actorOf = (event: SuiteEvent): string =>
  "manager" in event && event._tag !== "LeasesReturned" ? `manager:${event.manager}` : "admin"

interface World {
  readonly suite: ReadonlyArray<SuiteEvent>
  readonly pool?: ReadonlyArray<CoordinatorEvent>
  readonly managers?: ReadonlyMap<ManagerId, ReadonlyArray<ManagerEvent>>
  readonly index?: number
  /** Seconds after the start. */
  readonly at?: number
  readonly workers?: ReadonlyArray<number>
}

/** The events are recorded when they say that they happened. */
const explain = ({
  at = 60,
  index = 0,
  managers = new Map(),
  pool = [],
  suite,
  workers = []
}: World): TaskExplanation => {
  const state = replay(suiteDecider, suite)
  if (state._tag === "Missing") throw new Error("there is no suite")
  const events = suite.map((event, place): Noted => {
    return { event, version: place + 1, recordedAt: event.at, actor: actorOf(event) }
  })
  const specs = suite.flatMap((event) => (event._tag === "TasksSubmitted" ? event.tasks : []))
  const known = {
    at: start + at * 1_000,
    suite: state,
    index,
    spec: specs[index] ?? Suite.spec,
    events,
    pool: replay(poolDecider, pool),
    linger: 5_000
  }
  const looked = Explain.concerned(known)
  return Explain.explain({
    ...known,
    managers: new Map(looked.map((id) => [id, replay(managerDecider, managers.get(id) ?? [])])),
    workers: workers.map((pid, slot) => ({
      _tag: "Running",
      id: workerId(one, slot),
      pid,
      startedAt: start,
      crashes: 0,
      lastExitCode: null,
      lastSignal: null,
      recent: [],
      updatedAt: start
    }))
  })
}

const seconds = (after: number) => start + after * 1_000
const clock = (after: number) => `${new Date(seconds(after)).toISOString().slice(0, 19)}Z`

const online = (id: ManagerId, name: string, at = start): ReadonlyArray<ManagerEvent> => [
  { _tag: "ManagerRegistered", id, spec: Given.spec({ name }), at },
  { _tag: "ManagerConnected", epoch: Given.epoch(1), instance: "i", spec: Given.spec({ name }), at },
  { _tag: "ManagerReady", epoch: Given.epoch(1), at }
]

const names = (...of: ReadonlyArray<readonly [ManagerId, string]>) =>
  new Map(of.map(([id, name]) => [id, online(id, name)]))

const available = (managerId: ManagerId, tags: ReadonlyArray<string> = ["linux"], workers = 4): CoordinatorEvent => ({
  _tag: "ManagerAvailable",
  managerId,
  epoch: Given.epoch(1),
  tags,
  workers,
  at: start
})

const unavailable = (managerId: ManagerId, reason: "draining" | "not_ready"): CoordinatorEvent => ({
  _tag: "ManagerUnavailable",
  managerId,
  epoch: Given.epoch(1),
  tags: ["linux"],
  workers: 4,
  reason,
  at: start
})

const queued = (over: Partial<Extract<CoordinatorEvent, { _tag: "SuiteQueued" }>> = {}): CoordinatorEvent => ({
  _tag: "SuiteQueued",
  suiteId: Suite.id,
  tags: [],
  priority: 0,
  createdAt: start,
  queued: 2,
  pending: 2,
  at: start,
  ...over
})

const assigned = (managerId: ManagerId, suiteId = Suite.id): CoordinatorEvent => ({
  _tag: "SuiteAssigned",
  managerId,
  epoch: Given.epoch(1),
  suiteId,
  slots: 4,
  refused: [],
  at: start
})

const two_tasks = (spec: SuiteSpec = {}, task: TaskSpec = Suite.spec): ReadonlyArray<SuiteEvent> => [
  Suite.created(spec),
  Suite.submitted(0, Suite.times(2, task))
]

const failure = (attempt: number, over: Partial<EndedAttempt> = {}): EndedAttempt => ({
  index: 0,
  attempt,
  outcome: "failed",
  exitCode: 3,
  startedAt: start,
  finishedAt: start + 20,
  duration: 20,
  stderr: "trouble\n",
  next: "failed",
  ...over
})

describe("a queued task is explained by", () => {
  it("who submitted it, its place, and that nobody is there", () => {
    const found = explain({ suite: two_tasks(), pool: [queued()], index: 1 })
    assert.deepStrictEqual(found.sentences, [
      `It has been waiting in the queue for 1m, since ${clock(0)}, when admin submitted it.`,
      "1 task of its suite goes before it; no task of it is with a manager.",
      "No manager is there to run it."
    ])
    assert.deepStrictEqual(found.submitted, { at: new Date(start).toISOString(), actor: "admin" })
    assert.strictEqual(found.waiting?.before, 1)
    assert.match(found.advice ?? "", /^muster manager start/)
  })

  it("tasks of a higher priority, however much younger", () => {
    const suite = [
      Suite.created(),
      Suite.submitted(0, Suite.times(3)),
      Suite.submitted(3, [{ program: "x", priority: 7 }]),
      Suite.leased(Suite.a, [[0, 0, 1]])
    ]
    assert.strictEqual(explain({ suite, index: 2 }).waiting?.before, 2)
    assert.strictEqual(explain({ suite, index: 3 }).waiting?.before, 0)
    assert.include(
      explain({ suite, index: 3 }).sentences[1] ?? "",
      "(its priority is 7); 1 task of it is with managers"
    )
  })

  it("each manager that was refused, with the planner's reason", () => {
    const pool = [
      queued({ tags: ["gpu"] }),
      available(one, ["linux"]),
      available(two, ["linux", "gpu"]),
      available(Given.manager(3), ["gpu"]),
      unavailable(Given.manager(4), "draining"),
      assigned(two, Given.suite(2))
    ]
    // Manager 2 has another suite only if the pool knows that suite.
    const other = queued({ suiteId: Given.suite(2) })
    const managers = names([one, "small"], [two, "big"])
    const found = explain({ suite: two_tasks({ tags: ["gpu"] }), pool: [other, ...pool], managers })
    assert.deepStrictEqual(
      found.waiting?.refused.map(({ manager, reason }) => [manager.id, reason._tag]),
      [
        [one, "TagsMissing"],
        [two, "Busy"],
        [Given.manager(4), "TagsMissing"]
      ]
    )
    assert.deepStrictEqual(found.waiting?.next, [{ id: Given.manager(3), name: null }])
    assert.include(found.sentences, `- big is taken by suite ${Given.suite(2)}`)
    assert.include(found.sentences.join("\n"), "small and m000000000000004 lack the tag gpu that the suite asks for")
    assert.isNull(found.advice)
  })

  it("what to do when every manager lacks a tag", () => {
    const pool = [queued({ tags: ["gpu"] }), available(one)]
    const found = explain({ suite: two_tasks({ tags: ["gpu"] }), pool, managers: names([one, "small"]) })
    assert.deepStrictEqual(found.sentences.slice(2), [
      "The only manager that is there does not get the suite:",
      "- small lacks the tag gpu that the suite asks for"
    ])
    assert.match(found.advice ?? "", /--tags gpu/)
  })

  it("managers in their hundreds in one line for each reason", () => {
    const ids = Array.from({ length: 300 }, (_, k) => Given.manager(k + 1))
    const pool = [queued({ tags: ["gpu"] }), ...ids.map((id, k) => (k < 100 ? available(id) : available(id, ["x"])))]
    const found = explain({ suite: two_tasks({ tags: ["gpu"] }), pool })
    assert.lengthOf(found.waiting?.refused ?? [], 300)
    assert.deepStrictEqual(found.sentences.slice(2), [
      "None of the 300 managers that are there gets the suite:",
      "- 300 managers lack the tag gpu that the suite asks for"
    ])
    assert.isAtMost(found.managers.length, Explain.mostLookedUp)
  })

  it("how long a manager has been silent, which its own history says", () => {
    const managers = new Map([
      [
        one,
        [
          ...online(one, "vm"),
          { _tag: "ManagerSuspected", epoch: Given.epoch(1), reason: "silent", at: seconds(50) } as const
        ]
      ]
    ])
    const found = explain({ suite: two_tasks(), pool: [queued(), unavailable(one, "not_ready")], managers })
    assert.include(found.sentences, `- vm has not been heard from for 10s, since ${clock(50)}`)
  })

  it("the managers that work on its suite", () => {
    const pool = [queued(), available(one, ["linux"], 1), { ...assigned(one), slots: 1 }]
    const suite = [...two_tasks(), Suite.leased(Suite.a, [[0, 0, 1]])]
    const found = explain({ suite, pool, managers: names([one, "vm"]), index: 1 })
    assert.include(found.sentences, "vm works on the suite with 1 worker; it is handed out when its turn comes.")
  })

  it("who paused its suite, and nothing else", () => {
    const suite = [...two_tasks(), Suite.paused(seconds(10))]
    const found = explain({ suite, pool: [queued(), available(one)] })
    assert.deepStrictEqual(found.sentences.slice(1), [
      `Nothing of its suite is handed out, because the suite is paused: admin paused it at ${clock(10)}, 50s earlier.`
    ])
    assert.strictEqual(found.advice, `muster suite resume ${Suite.id}`)
  })

  it("the pause after a failed attempt", () => {
    const retry = { limit: 3, backoff: 30_000 }
    const suite = [
      ...two_tasks({}, { program: "x", retry }),
      Suite.leased(Suite.a, [[0, 0, 1]]),
      Suite.ended(Suite.a, [failure(1, { next: "retry", retryAt: seconds(90) })], seconds(55))
    ]
    const found = explain({ suite, managers: names([one, "vm"]) })
    assert.deepStrictEqual(found.sentences, [
      `It has been waiting in the queue for 5s, since ${clock(55)}, when its 1st attempt ended.`,
      `It is tried again in 30s, not before ${clock(90)}, the pause after its 1st attempt.`,
      `Its 1st attempt, on vm, failed with exit code 3 after 20ms, at ${clock(55)}; it was to be tried again after 35s, with 2 of its 3 retries left after that.`
    ])
    assert.strictEqual(found.waiting?.retryAt, new Date(seconds(90)).toISOString())
    assert.isNull(explain({ suite, at: 100 }).waiting?.retryAt)
  })

  it("its manager's loss", () => {
    const suite = [
      ...two_tasks(),
      Suite.leased(Suite.a, [[0, 1, 1]]),
      Suite.returned(Suite.a, [[0, 1]], "manager_lost", seconds(30))
    ]
    const found = explain({ suite, managers: names([one, "vm"]) })
    assert.include(found.sentences[0] ?? "", "for 30s")
    assert.include(found.sentences[0] ?? "", "vm, which had it, was lost before it had begun")
    assert.lengthOf(found.attempts, 0)
  })
})

describe("a task with a manager is explained by", () => {
  const running = [
    ...two_tasks(),
    Suite.leased(Suite.a, [[0, 1, 1]], seconds(10)),
    Suite.started(Suite.a, [[0, 1]], seconds(12))
  ]

  it("who has it, under which lease, since when", () => {
    const found = explain({ suite: running, managers: names([one, "vm"]), workers: [11, 12] })
    assert.deepStrictEqual(found.sentences, [
      `It has been running on vm for 48s, since ${clock(12)}; this is its 1st attempt.`,
      `The lease belongs to session 1 of vm, given at ${clock(10)}, and lasts as long as that session.`,
      "That machine has 2 workers, processes 11 and 12; the log does not say which of them has it."
    ])
    assert.deepInclude(found.held, { manager: { id: one, name: "vm" }, epoch: Given.epoch(1), attempt: 1, until: null })
    const buffered = explain({ suite: running, managers: names([one, "vm"]), index: 1 })
    assert.strictEqual(buffered.state, "assigned")
    assert.include(buffered.sentences[0] ?? "", "It has been with vm for 50s")
  })

  it("who asked for its end", () => {
    const suite = [...running, Suite.cancellationRequested([[0, 0]], "too slow", seconds(59))]
    const found = explain({ suite, managers: names([one, "vm"]) })
    assert.include(
      found.sentences,
      `admin asked for its cancellation at ${clock(59)}, 1s earlier (too slow); it is cancelled as soon as its end has been seen.`
    )
    assert.deepStrictEqual(found.held?.cancellation, {
      at: new Date(seconds(59)).toISOString(),
      actor: "admin",
      reason: "too slow"
    })
  })

  it("what is wrong with its manager", () => {
    const silent = [
      ...online(one, "vm"),
      { _tag: "ManagerSuspected", epoch: Given.epoch(1), reason: "disconnected", at: seconds(55) } as const
    ]
    const suspected = explain({ suite: running, managers: new Map([[one, silent]]) })
    assert.include(suspected.sentences.join("\n"), "That manager has been without its connection for 5s")
    const lost = [
      ...silent,
      { _tag: "ManagerLost", epoch: Given.epoch(1), reason: "disconnected", suiteId: null, at: seconds(58) } as const
    ]
    const over = explain({ suite: running, managers: new Map([[one, lost]]) })
    assert.include(over.sentences, "That session is over; what it held is being taken back.")
  })
})

describe("a task that has ended is explained by", () => {
  const leased = (attempt: number, at: number) => Suite.leased(Suite.a, [[0, 0, attempt]], seconds(at))

  it("its success", () => {
    const success: EndedAttempt = {
      index: 0,
      attempt: 1,
      outcome: "succeeded",
      finishedAt: start,
      duration: 1_250,
      next: "succeeded"
    }
    const found = explain({
      suite: [...two_tasks(), leased(1, 1), Suite.ended(Suite.a, [success], seconds(3))],
      managers: names([one, "vm"])
    })
    assert.deepStrictEqual(found.sentences, [`It succeeded after 1.25s on vm, at ${clock(3)}, 57s earlier.`])
    assert.isNull(found.advice)
  })

  it("each attempt, and why it was tried again or not", () => {
    const retry = { limit: 1, backoff: 1_000 }
    const found = explain({
      suite: [
        ...two_tasks({}, { program: "x", retry }),
        leased(1, 1),
        Suite.ended(Suite.a, [failure(1, { next: "retry", retryAt: seconds(4) })], seconds(3)),
        leased(2, 4),
        Suite.ended(Suite.a, [{ index: 0, attempt: 2, outcome: "lost", finishedAt: start, next: "retry" }], seconds(6)),
        leased(3, 7),
        Suite.ended(Suite.a, [failure(3, { exitCode: 9 })], seconds(8))
      ],
      managers: names([one, "vm"])
    })
    assert.deepStrictEqual(found.sentences, [
      `It is failed: its 3rd attempt, on vm, failed with exit code 9 after 20ms, at ${clock(8)}, 52s earlier; it was not tried again: its one retry was used up.`,
      `Its 1st attempt, on vm, failed with exit code 3 after 20ms, at ${clock(3)}; it was to be tried again after 1s, its only retry.`,
      `Its 2nd attempt, on vm, was given up, because its manager was lost while it ran, at ${clock(6)}; that was not its own doing, so it went back to the queue at once, not counted against its retries (1 of at most 2 times).`
    ])
    assert.deepStrictEqual(
      found.attempts.map(({ exitCode, next, number, outcome, stderr }) => ({
        number,
        outcome,
        exitCode,
        next,
        stderr
      })),
      [
        { number: 1, outcome: "failed", exitCode: 3, next: "retry", stderr: "trouble\n" },
        { number: 2, outcome: "lost", exitCode: null, next: "retry", stderr: "" },
        { number: 3, outcome: "failed", exitCode: 9, next: "failed", stderr: "trouble\n" }
      ]
    )
    assert.strictEqual(found.advice, `muster task retry ${Suite.task(0)}`)
  })

  it("having had no retries, a signal, a timeout", () => {
    const ended = (over: Partial<EndedAttempt>) =>
      explain({
        suite: [...two_tasks(), leased(1, 1), Suite.ended(Suite.a, [failure(1, over)], seconds(3))],
        managers: names([one, "vm"])
      }).sentences[0] ?? ""
    const { exitCode: _, ...killed } = failure(1, { signal: "SIGKILL" })
    assert.include(ended({}), "it was not tried again: it has no retries")
    assert.include(
      ended({ outcome: "timed_out", signal: "SIGTERM" }),
      "ran into its timeout and was ended by SIGTERM after 20ms"
    )
    assert.include(
      ended({ outcome: "not_started", message: "no such program" }),
      "could not be started (no such program)"
    )
    const found = explain({
      suite: [...two_tasks(), leased(1, 1), Suite.ended(Suite.a, [killed], seconds(3))],
      managers: names([one, "vm"])
    })
    assert.include(found.sentences[0] ?? "", "was ended by SIGKILL after 20ms")
  })

  it("the third crash", () => {
    const crash = (attempt: number, next: "retry" | "failed"): EndedAttempt => ({
      index: 0,
      attempt,
      outcome: "crashed",
      signal: "SIGSEGV",
      finishedAt: start,
      next
    })
    const suite = [
      ...two_tasks({}, { program: "x", retry: { limit: 5 } }),
      ...[1, 2, 3].flatMap((attempt) => [
        leased(attempt, attempt),
        Suite.ended(Suite.a, [crash(attempt, attempt < 3 ? "retry" : "failed")], seconds(attempt))
      ])
    ]
    const found = explain({ suite, managers: names([one, "vm"]) })
    assert.include(found.sentences[0] ?? "", "that was the 3rd time that its worker or manager went")
  })

  it("a lease that its machine could not renew, which counts for nothing", () => {
    const cut = (attempt: number): EndedAttempt => ({
      index: 0,
      attempt,
      outcome: "lease_lost",
      finishedAt: start,
      next: "retry"
    })
    const suite = [
      ...two_tasks({}, { program: "x", retry: { limit: 1 } }),
      ...[1, 2, 3, 4].flatMap((attempt) => [
        leased(attempt, attempt),
        Suite.ended(Suite.a, [cut(attempt)], seconds(attempt))
      ]),
      leased(5, 5),
      Suite.ended(Suite.a, [failure(5, { next: "retry", retryAt: start + 9_000 })], seconds(6))
    ]
    const found = explain({ suite, managers: names([one, "vm"]) })
    const told = JSON.stringify(found)
    assert.include(told, "went back to the queue at once and uncounted")
    assert.include(told, "its only retry")
  })

  it("a result after all, in place of the loss that was recorded", () => {
    const suite = [
      ...two_tasks(),
      leased(1, 1),
      Suite.started(Suite.a, [[0, 1]], seconds(2)),
      Suite.ended(Suite.a, [{ index: 0, attempt: 1, outcome: "lost", finishedAt: start, next: "retry" }], seconds(3)),
      Suite.ended(
        Suite.a,
        [{ index: 0, attempt: 1, outcome: "succeeded", finishedAt: start, duration: 5, next: "succeeded" }],
        seconds(5)
      )
    ]
    const found = explain({ suite, managers: names([one, "vm"]) })
    assert.deepStrictEqual(
      found.attempts.map(({ number, outcome }) => [number, outcome]),
      [[1, "succeeded"]]
    )
    assert.lengthOf(found.history, 5)
  })

  it("who cancelled it, and its suite", () => {
    const suite = [
      ...two_tasks(),
      Suite.cancelled([[0, 1]], "unwanted", seconds(20)),
      Suite.suiteCancelled("graceful", "unwanted", seconds(20))
    ]
    const found = explain({ suite })
    assert.deepStrictEqual(found.sentences, [
      `admin cancelled it at ${clock(20)}, 40s earlier, while it waited in the queue (unwanted).`,
      `Its suite was cancelled by admin at ${clock(20)}, 40s earlier (unwanted).`
    ])
  })

  it("late results, which changed nothing", () => {
    const suite = [
      ...two_tasks(),
      leased(1, 1),
      Suite.ended(Suite.a, [failure(1)], seconds(2)),
      Suite.late(Suite.b, [Suite.result(0, 4)], seconds(3))
    ]
    const found = explain({ suite, managers: names([one, "vm"]) })
    assert.include(found.sentences, "1 result of an earlier attempt came too late and changed nothing.")
    assert.include(found.history.at(-1)?.what ?? "", "a late result of attempt 4")
  })
})
