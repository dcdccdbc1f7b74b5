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
  /** Fails when anything was stored that a caller without rights asked for. */
  readonly assertNoStranger: () => Promise<void>
  /** Fails when rows are not what the events say. */
  readonly assertWhole: () => Promise<void>
}

/** What strangers (callers who may do nothing) call the things that they would make. None of it may ever be stored. */
export const stranger = {
  suiteId: "strangersuite000",
  managerId: "strangermanager0",
  name: "stranger"
}

const ofStrangers = (sql: PgClient.PgClient) =>
  sql.unsafe<{ what: string }>(
    `select 'event ' || type as what from events
     where stream like '%' || $1 || '%' or stream like '%' || $2 || '%' or command_id like '%' || $3 || '%'
     union all select 'suite ' || id from suites where id = $1
     union all select 'manager ' || id from managers where id = $2
     union all select 'token ' || name from tokens where name like '%' || $3 || '%'`,
    [stranger.suiteId, stranger.managerId, stranger.name]
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
    assertNoStranger: async () => {
      const stored = await Effect.runPromise(ofStrangers(sql))
      if (stored.length > 0) violated("a stranger's doing was stored", stored.map(({ what }) => what).join(", "))
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
