import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import { show } from "./Show.ts"

const params = {
  manager: Params.manager,
  undo: Flag.Boolean("undo").pipe(Flag.withDescription("Take work again"), Flag.withDefault(false))
}

const handler = Effect.fn("manager.drain")(function* ({ manager, undo }: Command.Command.Config.Infer<typeof params>) {
  const id = yield* manager
  yield* Session.use((client) => Effect.flatMap(client.drainManager(id, !undo), show))
})

export const drain = Command.make("drain", params, handler).pipe(
  Command.withDescription("Give a machine no more work; what runs finishes")
)
