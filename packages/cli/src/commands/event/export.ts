import { Effect, Option, Schema, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import { existsSync } from "node:fs"
import { stat } from "node:fs/promises"
import type { Writer } from "@muster/server/BundleFile"
import { SuiteId } from "@muster/domain/Suite/Id"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Show from "../../Show.ts"

const isSuiteId = Schema.is(SuiteId)

const params = {
  suite: Flag.String("suite").pipe(Flag.withMetavar("SUITE"), Flag.withDescription("Id of the suite")),
  out: Flag.String("out").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Where to (default: muster-SUITE.jsonl.gz here). A file that is there is not replaced"),
    Flag.optional
  )
}

const cannotWrite = (file: string) => (cause: unknown) =>
  Failure.failed(`cannot write ${file}: ${cause instanceof Error ? cause.message : String(cause)}`)

const handler = Effect.fn("event.export")(function* ({ out, suite }: Command.Command.Config.Infer<typeof params>) {
  if (!isSuiteId(suite)) return yield* Params.noSuite(suite)
  const format = yield* Session.format
  const file = Option.getOrElse(out, () => `muster-${suite}.jsonl.gz`)
  if (existsSync(file)) {
    return yield* Failure.usage(`--out is ${JSON.stringify(file)}; allowed: a file that is not there yet`)
  }
  const BundleFile = yield* Effect.promise(() => import("@muster/server/BundleFile"))
  let writer: Writer | undefined
  let events = 0
  const attempt = (work: () => Promise<void>) => Effect.tryPromise({ try: work, catch: cannotWrite(file) })
  const abandon = Effect.suspend(() => (writer === undefined ? Effect.void : Effect.promise(writer.abandon)))
  yield* Session.use(
    (client) =>
      Stream.runForEach(client.exportSuite(suite), (item) =>
        attempt(async () => {
          if ("header" in item) {
            // The connection was lost, and the coordinator begins again.
            await writer?.abandon()
            events = 0
            writer = await BundleFile.write(file, { ...item.header, source: client.url })
          } else {
            events++
            await writer?.event(item.event)
          }
        })
      ),
    Session.longPatience
  ).pipe(
    Effect.andThen(attempt(async () => writer?.end())),
    Effect.onError(() => abandon)
  )
  const { size } = yield* Effect.promise(() => stat(file))
  yield* Output.one(format, { id: () => file }, { file, suite, events, size }, () => [
    `${Show.plural(events, "event")} written to ${file} (${Show.bytes(size)})`
  ])
})

export const exportSuite = Command.make("export", params, handler).pipe(
  Command.withDescription(
    [
      "Write all that happened to a suite into one file, for others to look at: its events and those of",
      "  the managers, workers and the pool that it ran on. Values of environment variables are left out."
    ].join("\n")
  ),
  Command.withShortDescription("Write all that happened to a suite into a file"),
  Command.withExamples([
    {
      command: "muster event export --suite 06a1b2c3d4e5f6g7 --out night.jsonl.gz",
      description: "To take it elsewhere"
    },
    { command: "muster dev --import night.jsonl.gz", description: "To open it there" }
  ])
)
