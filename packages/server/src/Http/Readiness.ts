/**
 * Whether a coordinator can do its work, part by part.
 */
import { Context, Duration, Effect, Layer } from "effect"
import { SqlClient } from "effect/sql/SqlClient"
import type { PartStatus } from "@muster/domain/Api/Problem"

/** What only the running coordinator knows. Both must answer at once or fail: a probe waits for them. */
export class ReadinessParts extends Context.Service<
  ReadinessParts,
  {
    /** Whether this coordinator takes part in the cluster. */
    readonly cluster: Effect.Effect<PartStatus>
    /** Whether the projections by subscription are running and not hopelessly behind. */
    readonly projections: Effect.Effect<PartStatus>
  }
>()("@muster/server/Http/ReadinessParts") {}

export class Readiness extends Context.Service<
  Readiness,
  { readonly check: Effect.Effect<Readonly<Record<"database" | "cluster" | "projections", PartStatus>>> }
>()("@muster/server/Http/Readiness") {}

/** A part that has not answered by then does not work. */
const patience = Duration.seconds(2)

const ready: PartStatus = { ok: true, message: null }
const notReady = (message: string): PartStatus => ({ ok: false, message })

const within = (part: Effect.Effect<PartStatus>) =>
  Effect.timeoutOrElse(part, {
    duration: patience,
    orElse: () => Effect.succeed(notReady(`no answer within ${Duration.toSeconds(patience)} s`))
  })

export const make = Effect.gen(function* () {
  const sql = yield* SqlClient
  const parts = yield* ReadinessParts
  const database = sql.unsafe("select 1").pipe(
    Effect.as(ready),
    // What the database says may name hosts and users, and anybody may ask this.
    Effect.catch(() => Effect.succeed(notReady("cannot be reached")))
  )
  const check = Effect.all(
    { database: within(database), cluster: within(parts.cluster), projections: within(parts.projections) },
    { concurrency: "unbounded" }
  )
  return Readiness.of({ check })
})

export const layer: Layer.Layer<Readiness, never, SqlClient | ReadinessParts> = Layer.effect(Readiness, make)
