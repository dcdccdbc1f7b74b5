import { assert, describe, it } from "@effect/vitest"
import { Result, Schema } from "effect"
import { Activity as Domain } from "@muster/domain/Manager/Spec"
import * as Activity from "@muster/manager/Activity"
import { suite } from "./support/Fixtures.ts"

const target = (activity: typeof Domain.Type) =>
  activity === "preparing" ? { activity, suiteId: suite } : { activity }

/** The states after each of the wanted steps, refused ones left out. */
const walk = (wanted: ReadonlyArray<typeof Domain.Type>) => {
  let state = Activity.initial(0)
  let now = 0
  const states = [state]
  for (const activity of wanted) {
    now += 10
    const next = Activity.step(state, target(activity), now)
    if (Result.isFailure(next)) continue
    state = next.success
    states.push(state)
  }
  return { states, state }
}

describe("a manager's activity", () => {
  it("goes round with one suite from idle to idle", () => {
    const { states } = walk(["preparing", "executing", "cleanup", "idle"])
    assert.deepStrictEqual(
      states.map(({ activity, suiteId }) => [activity, suiteId]),
      [
        ["idle", null],
        ["preparing", suite],
        ["executing", suite],
        ["cleanup", suite],
        ["idle", null]
      ]
    )
  })

  it("refuses what the machine does not allow, and says what it does", () => {
    const refused = Activity.step(Activity.initial(0), { activity: "executing" }, 1)
    assert.isTrue(Result.isFailure(refused))
    if (Result.isFailure(refused)) {
      assert.strictEqual(refused.failure.message, "a manager that is idle cannot become executing; allowed: preparing")
    }
  })

  it.prop(
    "is idle exactly when it has no suite, and remembers how long everything lasted",
    [Schema.Array(Domain)],
    ([wanted]) => {
      const { state, states } = walk(wanted)
      for (const { activity, suiteId } of states) assert.strictEqual(activity === "idle", suiteId === null)
      const lasted = state.history.reduce((sum, past) => sum + past.lasted, 0)
      if (states.length <= Activity.historyLimit) assert.strictEqual(lasted, state.since)
      assert.isAtMost(state.history.length, Activity.historyLimit)
    }
  )
})
