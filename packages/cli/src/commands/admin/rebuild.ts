import { Effect, Layer, Option, Redacted, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Show from "../../Show.ts"

const params = {
  check: Flag.Boolean("check").pipe(
    Flag.withDescription(
      "Change nothing: rebuild beside the live tables and compare row by row; ends 1 if they differ"
    ),
    Flag.withDefault(false)
  ),
  databaseUrl: Flag.String("database-url").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("The coordinators' database (default: MUSTER_DATABASE_URL, the profile)"),
    Flag.optional
  )
}

/** What became of one read model. */
interface Row {
  readonly projection: string
  readonly streams: number
  readonly events: number
  /** Rows that were compared, and how many were not the same; null without --check. */
  readonly compared: number | null
  readonly differing: number | null
}

const view: Output.View<Row> = {
  id: ({ projection }) => projection,
  columns: [
    { header: "READ MODEL", value: ({ projection }) => projection },
    { header: "STREAMS", value: ({ streams }) => Show.count(streams), align: "right" },
    { header: "EVENTS", value: ({ events }) => Show.count(events), align: "right" },
    { header: "ROWS", value: ({ compared }) => (compared === null ? "" : Show.count(compared)), align: "right" },
    { header: "DIFFERENT", value: ({ differing }) => (differing === null ? "" : Show.count(differing)), align: "right" }
  ]
}

const sum = (numbers: ReadonlyArray<number>) => numbers.reduce((total, number) => total + number, 0)

const handler = Effect.fn("admin.rebuild")(function* ({
  check,
  databaseUrl
}: Command.Command.Config.Infer<typeof params>) {
  const settings = yield* Session.settings
  const url = Option.getOrUndefined(databaseUrl) ?? settings.databaseUrl.value
  if (url === undefined) {
    return yield* Failure.usage(
      "there is no database URL",
      "--database-url, MUSTER_DATABASE_URL or the profile that `muster dev` writes name it"
    )
  }
  const Database = yield* Effect.promise(() => import("@muster/server/Database"))
  const Inline = yield* Effect.promise(() => import("@muster/server/Projections/Inline"))
  const PgEventStore = yield* Effect.promise(() => import("@muster/server/PgEventStore"))
  const Rebuild = yield* Effect.promise(() => import("@muster/server/Rebuild"))
  const database = Database.layer({ ...Database.defaults, url: Redacted.make(url) })
  const rows = yield* Effect.forEach(Inline.projections, (projection) =>
    check
      ? Effect.map(Rebuild.check(projection), ({ events, streams, tables }): Row => ({
          projection: projection.name,
          streams,
          events,
          compared: sum(tables.map(({ compared }) => compared)),
          differing: sum(tables.map(({ differing }) => differing))
        }))
      : Effect.map(Rebuild.rebuild(projection), ({ events, streams }): Row => ({
          projection: projection.name,
          streams,
          events,
          compared: null,
          differing: null
        }))
  ).pipe(Effect.provide(Layer.provideMerge(PgEventStore.layer, database)))
  yield* Output.list(settings.output.value, view, Stream.fromIterable(rows))
  const differing = sum(rows.map((row) => row.differing ?? 0))
  if (differing > 0) {
    return yield* Failure.failed(`${Show.plural(differing, "row")} differ`, "`muster admin rebuild` makes them anew")
  }
  if (check) yield* Screen.note("the read models are what the events say")
})

export const rebuild = Command.make("rebuild", params, handler).pipe(
  Command.withDescription(
    [
      "Make the read models (suites, tasks, managers, workers) anew from the events.",
      "  Coordinators may run meanwhile; they wait for its end."
    ].join("\n")
  ),
  Command.withShortDescription("Make the read models anew from the events, or compare them")
)
