/**
 * Opening a bundle: its events come into a data directory of their own, which from then on is only read. All of it or
 * nothing: the file is checked before anything is made, and a failed import leaves no directory behind.
 */
import { Effect, Layer, References } from "effect"
import * as BundleFile from "@muster/server/BundleFile"
import * as BundleImport from "@muster/server/BundleImport"
import * as Database from "@muster/server/Database"
import * as EmbeddedPostgres from "@muster/server/EmbeddedPostgres"
import * as Migrations from "@muster/server/Migrations"
import * as PgEventStore from "@muster/server/PgEventStore"
import * as Failure from "../Failure.ts"
import * as Screen from "../Screen.ts"
import * as Show from "../Show.ts"
import * as DataDirectory from "./DataDirectory.ts"
import type { Imported } from "./DevState.ts"

const unusable = (error: BundleFile.BundleUnusable) =>
  Failure.failed(error.message, "`muster event export --suite <id>` writes one, on the cluster that has the suite")

const bring = (directory: DataDirectory.DataDirectory, file: string) =>
  Effect.scoped(
    Effect.gen(function* () {
      const { url } = yield* EmbeddedPostgres.start({ dataDir: directory.postgres })
      const store = PgEventStore.layer.pipe(
        Layer.provideMerge(Layer.effectDiscard(Migrations.migrate)),
        Layer.provideMerge(Database.layer({ ...Database.defaults, url }))
      )
      yield* Effect.provide(BundleImport.importFile(file), store)
    })
  ).pipe(
    Effect.mapError((error) =>
      error._tag === "BundleUnusable" ? unusable(error) : Failure.failed(`cannot import ${file}: ${error.message}`)
    ),
    // What the database says on the way is nobody's concern here.
    Effect.provideService(References.MinimumLogLevel, "Warn")
  )

/** Imports a bundle into a new data directory. */
export const into = Effect.fn("Import.into")(function* (dataDir: string, file: string) {
  const header = yield* Effect.mapError(BundleFile.verify(file), unusable)
  if (yield* DataDirectory.isUsed(dataDir)) return yield* DataDirectory.inUse(dataDir)
  const { at, events, source, suite, version } = header
  const imported: Imported = { suite, events, source, version, at }
  const directory = yield* DataDirectory.prepare(dataDir)
  yield* DataDirectory.markImported(directory, imported, false).pipe(
    Effect.andThen(bring(directory, file)),
    Effect.andThen(DataDirectory.markImported(directory, imported, true)),
    Effect.onError(() => Effect.ignore(DataDirectory.remove(directory)))
  )
  yield* Screen.note(
    `${Show.plural(events, "event")} imported into ${directory.root}; they can be looked at, and nothing of them is started`
  )
})
