import { Effect, Option, Schedule } from "effect"
import { Command } from "effect/cli"
import * as DevState from "../../dev/DevState.ts"
import * as ProcessIdentity from "../../dev/ProcessIdentity.ts"
import * as Failure from "../../Failure.ts"
import * as Screen from "../../Screen.ts"
import { dataDirectory } from "./Flags.ts"

/** Longer than everything that is stopped may take. */
const patience = "1 minute"

const handler = Effect.fn("dev.stop")(function* () {
  const directory = yield* dataDirectory
  const found = yield* DevState.read(directory)
  if (Option.isNone(found)) return yield* Screen.note(`muster dev is not running in ${directory}`)
  const { supervisor } = found.value
  process.kill(supervisor.pid, "SIGTERM")
  yield* Effect.suspend(() => (ProcessIdentity.isAlive(supervisor) ? Effect.fail("alive") : Effect.void)).pipe(
    Effect.retry(Schedule.spaced("50 millis")),
    Effect.timeout(patience),
    Effect.mapError(() =>
      Failure.failed(
        `process ${supervisor.pid} has not ended within ${patience}`,
        `kill -9 ${supervisor.pid} ends it and all that it has started`
      )
    )
  )
  yield* Screen.note("stopped")
})

export const stop = Command.make("stop", {}, handler).pipe(
  Command.withDescription("Stop what `muster dev` has started: the manager, then the coordinator, then Postgres")
)
