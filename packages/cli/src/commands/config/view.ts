import { Effect, Stream } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Session from "../../Session.ts"
import * as View from "../../views/Settings.ts"

const handler = Effect.fn("config.view")(function* () {
  const settings = yield* Session.settings
  yield* Output.list(settings.output.value, View.view, Stream.fromIterable(View.rows(settings)))
})

export const viewCommand = Command.make("view", {}, handler).pipe(
  Command.withDescription("Show the settings in force and where each comes from; secrets are hidden")
)
