import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Lifecycle from "./Lifecycle.ts"

const params = {
  suite: Params.suite,
  force: Flag.Boolean("force").pipe(
    Flag.withDescription("End running tasks too, instead of letting them finish"),
    Flag.withDefault(false)
  ),
  reason: Flag.String("reason").pipe(
    Flag.withMetavar("TEXT"),
    Flag.withDescription("Why, for the history"),
    Flag.withDefault("")
  ),
  wait: Params.wait,
  waitTimeout: Params.waitTimeout
}

const handler = Effect.fn("suite.cancel")(function* (values: Command.Command.Config.Infer<typeof params>) {
  const id = yield* values.suite
  const mode = values.force ? "force" : "graceful"
  yield* Session.use((client) =>
    Effect.andThen(client.cancelSuite(id, { mode, reason: values.reason }), Lifecycle.finish(client, id, values))
  )
})

export const cancel = Command.make("cancel", params, handler).pipe(
  Command.withDescription("End a suite for good: what is queued is cancelled, what runs finishes")
)
