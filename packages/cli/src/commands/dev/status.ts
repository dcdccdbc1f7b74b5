import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import * as Describe from "../../dev/Describe.ts"
import * as DevState from "../../dev/DevState.ts"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import { dataDirectory } from "./Flags.ts"

const handler = Effect.fn("dev.status")(function* () {
  const format = yield* Session.format
  const directory = yield* dataDirectory
  const found = yield* DevState.read(directory)
  if (Option.isNone(found)) {
    return yield* Failure.failed(`muster dev is not running in ${directory}`, "`muster dev` starts it")
  }
  const Dev = yield* Effect.promise(() => import("../../dev/Dev.ts"))
  const info = yield* Dev.info(found.value)
  yield* Output.one(format, { id: ({ pid }) => String(pid) }, info, Describe.status)
})

export const status = Command.make("status", {}, handler).pipe(
  Command.withDescription("Show whether `muster dev` runs here, and its processes")
)
