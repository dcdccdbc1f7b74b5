/**
 * A real coordinator on a database of its own, and what can be seen of both from outside.
 */
import { PgClient } from "@effect/sql-pg"
import { Context, Effect, Layer, Redacted } from "effect"
import type { Scope } from "effect"
import * as Database from "@muster/server/Database"
import * as PgEventStore from "@muster/server/PgEventStore"
import * as Inline from "@muster/server/Projections/Inline"
import * as Rebuild from "@muster/server/Rebuild"
import * as System from "../test/e2e/support/System.ts"
import * as Process from "../test/e2e/support/Process.ts"
import * as Memory from "./Memory.ts"
import { violated } from "./Target.ts"

export interface Watched {
  readonly system: System.System
  readonly coordinator: System.Coordinator
  readonly memory: () => number
  /** Fails when it has ended or has written of a bug. */
  readonly assertAlive: () => void
  /** Fails when a caller's doing was stored since the last time, unless somebody was there who may do that. */
  readonly assertUnchanged: (mayChange: boolean) => Promise<void>
  /** Fails when rows are not what the events say. */
  readonly assertWhole: () => Promise<void>
}

interface Stored {
  readonly events: string
  readonly rows: string
}

/** What callers did. A coordinator's own doing (an idle suite is complete, a manager is lost) may be later than its cause. */
const count = (sql: PgClient.PgClient) =>
  sql.unsafe<Stored>(
    `select (select count(*)::text from events where metadata ->> 'actor' <> 'coordinator') as events,
            (select count(*) from suites) || '/' || (select count(*) from managers) || '/' ||
            (select count(*) from tokens) as rows`
  )

export const open: Effect.Effect<Watched, never, Scope.Scope> = Effect.gen(function* () {
  const system = yield* System.make
  const coordinator = yield* system.coordinator()
  const context = yield* Effect.orDie(
    Layer.build(
      PgEventStore.layer.pipe(
        Layer.provideMerge(Database.layer({ ...Database.defaults, url: Redacted.make(system.postgres.url) }))
      )
    )
  )
  const sql = Context.get(context, PgClient.PgClient)
  const look = async (): Promise<string> => JSON.stringify(await Effect.runPromise(count(sql)))
  let before = yield* Effect.promise(look)
  let read = coordinator.output().length
  return {
    system,
    coordinator,
    memory: () => Memory.of(coordinator.pid),
    assertAlive: () => {
      const output = coordinator.output()
      const fresh = output.slice(read)
      read = output.length
      const error = /.*(?:ERROR|FATAL)[^]*/.exec(fresh)?.[0]
      if (error !== undefined) violated("the coordinator's log", error)
      if (!Process.isAlive(coordinator.pid)) violated("the coordinator has ended", fresh)
    },
    assertUnchanged: async (mayChange) => {
      let now = await look()
      // What was accepted may still be on its way to the disk, and must not be taken for the next ones' doing.
      if (mayChange) {
        for (let last = ""; last !== now;) {
          last = now
          await new Promise((resolve) => setTimeout(resolve, 25))
          now = await look()
        }
      }
      if (now !== before && !mayChange) violated("something was stored by what was refused", `${before} ${now}`)
      before = now
    },
    assertWhole: async () => {
      for (const projection of Inline.projections) {
        const { tables } = await Effect.runPromise(Effect.provideContext(Rebuild.check(projection), context))
        const differences = tables.flatMap((table) => table.differences)
        if (differences.length > 0)
          violated(`rows of ${projection.name} that no event tells of`, JSON.stringify(differences[0]))
      }
    }
  }
})
