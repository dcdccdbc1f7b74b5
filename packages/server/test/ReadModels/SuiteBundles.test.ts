import { assert, layer } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { fileURLToPath } from "node:url"
import type { Recorded } from "@muster/domain/Recorded"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as BundleFile from "../../src/BundleFile.ts"
import * as BundleImport from "../../src/BundleImport.ts"
import * as PgEventStore from "../../src/PgEventStore.ts"
import * as SuiteBundles from "../../src/ReadModels/SuiteBundles.ts"
import { ServerInfo } from "../../src/Rpc/ServerInfo.ts"
import * as Actors from "../support/Actors.ts"
import * as Muster from "../support/Muster.ts"

const Info = Layer.succeed(ServerInfo, { version: "0.1.0", coordinator: "here", startedAt: "" })

const Live = SuiteBundles.layer.pipe(
  Layer.provideMerge(PgEventStore.layer),
  Layer.provideMerge(Muster.layer),
  Layer.provide(Info)
)

/** A real log of several suites and managers. */
const golden = fileURLToPath(new URL("../../../../test/golden/logs/0.1.0.jsonl.gz", import.meta.url))

const named = (log: ReadonlyArray<Recorded>, name: string): SuiteId => {
  const created = log.find(
    (event) => event.type === "SuiteCreated" && JSON.stringify(event.data).includes(`"name":"${name}"`)
  )
  return SuiteId.make(created?.stream.slice("suite-".length) ?? "")
}

layer(Live, { excludeTestServices: true, timeout: "30 seconds" })("bundles of suites", (it) => {
  it.effect("hold the suite's stream, those of who worked for it, and the pool's, up to its end and in order", () =>
    Effect.gen(function* () {
      const bundles = yield* SuiteBundles.SuiteBundles
      yield* BundleImport.importFile(golden)
      const log = yield* Stream.runCollect(BundleFile.events(golden))
      for (const name of ["mixed", "handed over", "left behind"]) {
        const id = named(log, name)
        const { events, header } = yield* bundles.make(id)
        const found = yield* Stream.runCollect(events)
        const own = log.filter(({ stream }) => stream === `suite-${id}`)
        // Those whom the pool gave it to, as the log itself says.
        const managers = new Set(
          log.flatMap(({ data, type }) => {
            const text = JSON.stringify(data)
            return type === "SuiteAssigned" && text.includes(id) ? [/"managerId":"(\w+)"/.exec(text)?.[1] ?? ""] : []
          })
        )
        assert.isAbove(managers.size, 0)
        // One that has not ended goes up to now.
        const end = name === "left behind" ? Infinity : (own.at(-1)?.position ?? 0)
        const expected = log.filter(
          ({ position, stream }) =>
            position <= end &&
            (stream === `suite-${id}` ||
              stream === "coordinator-main" ||
              [...managers].some(
                (manager) => stream === `manager-${manager}` || stream.startsWith(`worker-${manager}.`)
              ))
        )
        assert.deepStrictEqual(
          found.map(({ position }) => position),
          expected.map(({ position }) => position)
        )
        assert.strictEqual(header.events, found.length)
        assert.deepInclude(header, { suite: id, source: "here", format: 1 })
        for (const [stream, count] of header.streams) {
          assert.deepStrictEqual(
            found.filter((event) => event.stream === stream).map(({ version }) => version),
            Array.from({ length: count }, (_, k) => k + 1)
          )
        }
        // As they were stored, but for what is nobody's business.
        const hidden = expected.filter((event, place) => JSON.stringify(event) !== JSON.stringify(found[place]))
        assert.deepStrictEqual(
          hidden.map(({ type }) => type),
          name === "mixed" ? ["SuiteCreated"] : []
        )
        assert.notInclude(JSON.stringify(found), '"GREETING":"hello"')
      }
      const none = yield* Effect.flip(bundles.make(Actors.suiteId(99)))
      assert.strictEqual(none._tag, "SuiteNotFound")
    })
  )

  it.effect("are imported only where nothing is yet", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* Effect.flip(BundleImport.importFile(golden)))._tag, "DatabaseNotEmpty")
    })
  )
})
