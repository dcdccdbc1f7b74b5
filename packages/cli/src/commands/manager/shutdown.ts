import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import { show } from "./Show.ts"

const params = {
  manager: Params.manager,
  force: Flag.Boolean("force").pipe(
    Flag.withDescription("End what runs, instead of letting it finish"),
    Flag.withDefault(false)
  )
}

const handler = Effect.fn("manager.shutdown")(function* ({
  force,
  manager
}: Command.Command.Config.Infer<typeof params>) {
  const id = yield* manager
  yield* Session.use((client) => Effect.flatMap(client.shutdownManager(id, force ? "force" : "graceful"), show))
})

export const shutdown = Command.make("shutdown", params, handler).pipe(
  Command.withDescription("End the manager of a machine, after what runs has finished")
)
