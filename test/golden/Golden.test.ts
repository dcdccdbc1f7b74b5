/**
 * Golden logs: what every released version has recorded is replayed, and must come to the states and rows that it came to
 * then. Fields may be added since; what was there must mean the same. `test/golden/record.ts` records one.
 */
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { NodeServices } from "@effect/platform-node"
import { readFileSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { gunzipSync } from "node:zlib"
import type { Recorded } from "@muster/domain/Recorded"
import * as BundleFile from "@muster/server/BundleFile"
import * as BundleImport from "@muster/server/BundleImport"
import * as MusterDatabase from "@muster/server/Database"
import * as EmbeddedPostgres from "@muster/server/EmbeddedPostgres"
import * as Migrations from "@muster/server/Migrations"
import * as PgEventStore from "@muster/server/PgEventStore"
import * as Process from "../e2e/support/Process.ts"
import * as GoldenDump from "./GoldenDump.ts"

const logs = fileURLToPath(new URL("logs/", import.meta.url))

const released = readdirSync(logs)
  .filter((name) => name.endsWith(".jsonl.gz"))
  .map((name) => name.replace(".jsonl.gz", ""))

/** A database of its own, with Muster's tables. */
const Database = Layer.unwrap(
  Effect.gen(function* () {
    const directory = yield* Process.directory("golden")
    const { url } = yield* EmbeddedPostgres.start({ dataDir: join(directory, "data") }).pipe(Effect.orDie)
    return PgEventStore.layer.pipe(
      Layer.provideMerge(Layer.effectDiscard(Migrations.migrate)),
      Layer.provideMerge(MusterDatabase.layer({ ...MusterDatabase.defaults, url }))
    )
  })
).pipe(Layer.provide(NodeServices.layer))

/** Types of events that no release has recorded yet. They leave this list with the release that records them. */
const unreleased: ReadonlyArray<string> = ["ManagerLied"]

const bundleOf = (version: string) => `${logs}${version}.jsonl.gz`

const logOf = (version: string) =>
  Effect.andThen(BundleFile.verify(bundleOf(version)), Stream.runCollect(BundleFile.events(bundleOf(version))))

/** Plain JSON. */
type Json = string | number | boolean | null | ReadonlyArray<Json> | { readonly [name: string]: Json }

const expectedOf = (version: string): { readonly states: Json; readonly rows: Json } =>
  JSON.parse(gunzipSync(readFileSync(`${logs}${version}.expected.json.gz`)).toString())

/** What is there of `actual` of what `expected` has: fields that were added since are left out, at any depth. */
const known = (actual: unknown, expected: Json): unknown => {
  if (Array.isArray(expected) && Array.isArray(actual)) {
    return actual.map((item, place) => known(item, expected[place] ?? null))
  }
  if (typeof expected !== "object" || expected === null || typeof actual !== "object" || actual === null) return actual
  return Object.fromEntries(
    Object.entries(expected).flatMap(([name, value]) =>
      name in actual ? [[name, known(Reflect.get(actual, name), value)]] : []
    )
  )
}

const assertKnown = (actual: unknown, expected: Json) => assert.deepStrictEqual(known(actual, expected), expected)

describe.each(released)("the golden log of %s", (version) => {
  it.effect("comes to the states that it came to then", () =>
    Effect.gen(function* () {
      assertKnown(GoldenDump.states(yield* logOf(version)), expectedOf(version).states)
    })
  )

  it.live("comes to the rows that it came to then", () =>
    Effect.gen(function* () {
      yield* BundleImport.importFile(bundleOf(version))
      assertKnown(yield* GoldenDump.rows, expectedOf(version).rows)
    }).pipe(Effect.provide(Database))
  )

  // The test of the test: whoever makes a field mean nothing is found out.
  it.effect("would not come to them without any of the fields that decide something", () =>
    Effect.gen(function* () {
      const log = yield* logOf(version)
      const right = JSON.stringify(GoldenDump.states(log))
      const fields = new Set(log.flatMap(({ data, type }) => Object.keys(data ?? {}).map((name) => `${type}.${name}`)))
      const meaningless = [...fields].filter((field) => {
        try {
          return JSON.stringify(GoldenDump.states(log.map((event) => without(event, field)))) === right
        } catch {
          return false
        }
      })
      assert.deepStrictEqual(meaningless.toSorted(), evidence.filter((field) => fields.has(field)).toSorted())
    })
  )
})

const without = (event: Recorded, field: string): Recorded => {
  const [type, name] = field.split(".")
  const { data } = event
  if (event.type !== type || typeof data !== "object" || data === null || Array.isArray(data)) return event
  return { ...event, data: Object.fromEntries(Object.entries(data).filter(([key]) => key !== name)) }
}

/** Fields that say what was known and decide nothing: they are for people, for rows, and for what is done next. */
const evidence: ReadonlyArray<string> = [
  "AttemptsEnded.at",
  "AttemptsEnded.epoch",
  "LateResultsRecorded.at",
  "LateResultsRecorded.epoch",
  "LeasesReturned.at",
  "ManagerActivityChanged.suiteId",
  "ManagerAvailable.at",
  "ManagerDrainEnded.actor",
  "ManagerDrainRequested.actor",
  "ManagerLeft.suiteId",
  "ManagerLost.reason",
  "ManagerLost.suiteId",
  "ManagerRemoved.at",
  "ManagerShutdownRequested.actor",
  "ManagerUnavailable.at",
  "ReleaseRequested.reason",
  "SuiteAssigned.at",
  "SuiteAssigned.refused",
  "SuiteCancelled.at",
  "SuiteCancelled.mode",
  "SuiteCancelled.reason",
  "SuiteClosed.at",
  "SuiteClosed.reason",
  "SuiteEnded.at",
  "SuitePaused.at",
  "SuiteQueued.at",
  "SuiteReopened.at",
  "SuiteReopened.reason",
  "SuiteResumed.at",
  "TaskCancellationRequested.at",
  "TaskCancellationRequested.reason",
  "TasksCancelled.at",
  "TasksCancelled.reason",
  "TasksRequeued.at",
  "TasksStarted.at",
  "TasksStarted.epoch",
  "TasksStarted.manager",
  "WorkerCrashed.id",
  "WorkerStopped.id"
]

describe("golden logs", () => {
  it.effect("have every type of event that there is", () =>
    Effect.gen(function* () {
      const all = yield* Effect.forEach(released, logOf)
      const seen = new Set(all.flat().map(({ type }) => type))
      assert.deepStrictEqual(
        GoldenDump.knownTypes.filter((type) => !seen.has(type)),
        unreleased
      )
      // And none that is not known any more.
      assert.deepStrictEqual(
        [...seen].filter((type) => !GoldenDump.knownTypes.includes(type)),
        []
      )
    })
  )
})
