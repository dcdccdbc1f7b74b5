/**
 * A suite of a million tasks stays quick and small. The bounds leave room for slow and busy machines: what they catch is
 * a rule that looks at every task each time. `MUSTER_TEST_FIGURES=1` prints what a run took.
 */
import { assert, describe, it } from "@effect/vitest"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import type { SuiteCommand } from "@muster/domain/Suite/Commands"
import { decider } from "@muster/domain/Suite/Decider"
import type { SuiteEvent } from "@muster/domain/Suite/Events"
import * as Plain from "@muster/domain/Suite/Plain"
import * as Snapshot from "@muster/domain/Suite/Snapshot"
import * as State from "@muster/domain/Suite/State"
import { Phase } from "@muster/domain/Suite/TaskTable"
import type { Outcome } from "@muster/domain/Task/Attempt"
import type { TaskSpec } from "@muster/domain/Task/Spec"
import { step } from "./support/GivenWhenThen.ts"
import * as S from "./support/SuiteFixtures.ts"
import { a, now } from "./support/SuiteFixtures.ts"

setFlagsFromString("--expose-gc")
const collectGarbage = runInNewContext("gc") as () => void // what the flag puts there

/** Bytes in use. */
const memory = (): number => {
  collectGarbage()
  const { arrayBuffers, heapUsed } = process.memoryUsage()
  return arrayBuffers + heapUsed
}

const note = (text: string): void => {
  if (process.env["MUSTER_TEST_FIGURES"] === "1") process.stdout.write(`${text}\n`)
}

const timed = <A>(run: () => A): readonly [result: A, millis: number] => {
  const before = performance.now()
  const result = run()
  return [result, performance.now() - before]
}

/** A suite under way. */
const play = () => {
  let state = decider.initial()
  const tell = (command: SuiteCommand): ReadonlyArray<SuiteEvent> => {
    const next = step(decider, state, command)
    state = next.state
    return next.step.events
  }
  tell(S.create())
  return {
    tell,
    submit: (count: number, spec: (index: number) => TaskSpec) => {
      for (let first = 0; first < count; first += 1_000) {
        tell(S.submit(Array.from({ length: Math.min(1_000, count - first) }, (_, k) => spec(first + k))))
      }
    },
    /** Leases up to so many tasks and says how each ended; answers how many there were. */
    work: (max: number, outcome: Outcome = "succeeded", at = now): number => {
      const ended = tell(S.lease(a, max, at)).flatMap((event) =>
        event._tag === "TasksLeased"
          ? event.leases.flatMap(([first, last, attempt]) =>
              Array.from({ length: last - first + 1 }, (_, k) => S.result(first + k, attempt, outcome))
            )
          : []
      )
      if (ended.length > 0) tell(S.report(a, { ended }, at))
      return ended.length
    },
    state: (): State.Existing => {
      if (state._tag === "Missing") throw new Error("there is no suite")
      return state
    }
  }
}

describe("a million tasks", () => {
  const million = 1_000_000

  it("are submitted, leased and settled in a few microseconds each, and take little memory", () => {
    const before = memory()
    const suite = play()
    const [, submitting] = timed(() => suite.submit(million, () => S.spec))
    const held = memory() - before
    const [, working] = timed(() => {
      while (suite.work(2_000) > 0);
    })
    note(`submit ${(submitting * 1e6) / million} ns/task, lease and report ${(working * 1e6) / million} ns/task`)
    note(`memory ${held / 1e6} MB`)
    assert.strictEqual(suite.state().state, "complete")
    assert.strictEqual(State.taskCounts(suite.state()).succeeded, million)
    assert.isBelow(held, 40e6)
    assert.isBelow(submitting, 5_000)
    assert.isBelow(working, 10_000)
  })

  it("fit into a snapshot that is quickly written and read", () => {
    const suite = play()
    suite.submit(million, () => S.spec)
    for (let round = 0; round < 50; round++) suite.work(2_000, round % 2 === 0 ? "succeeded" : "crashed")
    suite.tell(S.lease(S.b, 20_000))
    const [bytes, writing] = timed(() => Snapshot.encode(suite.state()))
    const [restored, reading] = timed(() => Snapshot.decode(bytes))
    note(`snapshot ${bytes.length / 1e6} MB, encode ${writing} ms, decode ${reading} ms`)
    assert.deepStrictEqual(restored && State.taskCounts(restored), State.taskCounts(suite.state()))
    assert.deepStrictEqual(
      restored && State.nextReady(restored, 100_000, now),
      State.nextReady(suite.state(), 100_000, now)
    )
    assert.isBelow(bytes.length, 16e6)
    assert.isBelow(writing, 2_000)
    assert.isBelow(reading, 2_000)
  })
})

describe("every other one of a million tasks", () => {
  it("is cancelled at once, or one by one, without slowing down", () => {
    const suite = play()
    suite.submit(1_000_000, () => S.spec)
    const oneByOne = 2_000
    const [, single] = timed(() => {
      for (let k = 0; k < oneByOne; k++) suite.tell(S.cancelTasks([900_000 + 2 * k]))
    })
    const rest = Array.from({ length: 450_000 }, (_, k) => 2 * k)
    const [, together] = timed(() => suite.tell(S.cancelTasks(rest)))
    note(`  ${(single * 1_000) / oneByOne} µs for one, ${(together * 1_000) / rest.length} µs each for many`)
    assert.strictEqual(suite.state().plain.count, Plain.mostRanges)
    assert.isBelow(single, 5_000)
    assert.isBelow(together, 10_000)
  })
})

describe("a lease does not look at", () => {
  const count = 100_000

  /** Milliseconds for so many leases of single tasks, with what they ended as. */
  const leases = (suite: ReturnType<typeof play>, number: number): number => {
    const [, millis] = timed(() => {
      for (let k = 0; k < number; k++) assert.strictEqual(suite.work(1), 1)
    })
    note(`  ${(millis * 1_000) / number} µs per lease and report`)
    return millis
  }

  it("tasks that have left the queue behind one that has not", () => {
    const suite = play()
    suite.submit(count, (index) => (index === 0 ? { ...S.spec, priority: -1 } : S.spec))
    while (suite.state().tasks.phaseOf(count - 2_001) === Phase.queued) suite.work(500)
    assert.isBelow(leases(suite, 1_000), 1_000)
  })

  it("tasks that wait for their retry", () => {
    const suite = play()
    suite.submit(count, () => ({ ...S.spec, retry: { limit: 1, backoff: 3_600_000, maxBackoff: 3_600_000 } }))
    for (let round = 0; round < 45; round++) suite.work(2_000, "failed")
    assert.strictEqual(suite.state().delays.size, 90_000)
    assert.isBelow(leases(suite, 1_000), 1_000)
  })

  it("tasks of other priorities, even if each has one of its own", () => {
    const suite = play()
    const [, submitting] = timed(() =>
      suite.submit(count, (index) => ({ ...S.spec, priority: (index * 7_919) % count }))
    )
    note(`  submit ${(submitting * 1_000) / count} µs per task`)
    assert.isBelow(submitting, 5_000)
    suite.work(1)
    assert.isBelow(leases(suite, 1_000), 1_000)
  })
})
