import { assert, layer } from "@effect/vitest"
import { Clock, Effect } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import * as Clocks from "@muster/domain/Doctor/Clocks"
import * as ClockFacts from "../../src/Doctor/ClockFacts.ts"
import * as Postgres from "../support/Postgres.ts"

/** The machine's clock, so many milliseconds ahead. */
const ahead = (milliseconds: number) =>
  Effect.updateService(Clock.Clock, (clock): Clock.Clock =>
    Object.assign(Object.create(clock), { currentTimeMillis: Effect.sync(() => Date.now() + milliseconds) })
  )

layer(Postgres.layer, { excludeTestServices: true })("the doctor compares clocks", (it) => {
  it.effect("by questions to the database, and says how certain it is", () =>
    Effect.gen(function* () {
      const sql = yield* SqlClient
      for (const [skew, severity] of [
        [0, "ok"],
        [5_000, "warning"],
        [-5_000, "warning"],
        [120_000, "error"]
      ] as const) {
        const offset = yield* ClockFacts.measure(sql).pipe(ahead(skew))
        assert.isDefined(offset)
        // The database runs on this machine, by the same clock.
        assert.isAtMost(Math.abs((offset?.ahead ?? Number.NaN) - skew), offset?.uncertainty ?? 0)
        assert.isBelow(offset?.uncertainty ?? Infinity, 1_000)
        assert.strictEqual(Clocks.judge("clock", "this", "the database", offset).severity, severity)
      }
    })
  )
})
