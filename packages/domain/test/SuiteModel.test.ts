/**
 * The real suite does what the plain model of one does, command by command.
 */
import { assert, it } from "@effect/vitest"
import { decider } from "@muster/domain/Suite/Decider"
import { step } from "./support/GivenWhenThen.ts"
import { dumpTask } from "./support/SuiteDump.ts"
import { SuiteModel } from "./support/SuiteModel.ts"
import { lives, thorough } from "./support/SuiteMoves.ts"

it.prop(
  "a suite behaves as its model",
  [lives(60)],
  ([commands]) => {
    const model = new SuiteModel()
    let state = decider.initial()
    for (const command of commands) {
      const next = step(decider, state, command)
      state = next.state
      const expected = model.tell(command)
      const given = next.step.error?._tag ?? next.step.events
      assert.deepStrictEqual(given, expected, `${JSON.stringify(given)} instead of ${JSON.stringify(expected)}`)
      if (state._tag === "Missing") continue
      assert.strictEqual(state.state, model.state)
      assert.strictEqual(state.paused, model.paused)
      assert.strictEqual(state.stopped, model.stopped)
      assert.strictEqual(state.tasks.size, model.tasks.length)
      for (const task of model.tasks) {
        const real = dumpTask(state, task.index)
        assert.deepStrictEqual(
          [real.state, real.attempts, real.failures, real.crashes, real.cancelRequested],
          [task.state, task.attempts, task.failures, task.crashes, task.unwanted]
        )
      }
    }
  },
  { arbitrary: { ...thorough.arbitrary, runs: 1_000 } }
)
