import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Watching from "../../Watching.ts"
import { show } from "./Show.ts"

const params = { manager: Params.manager, watch: Params.watch }

const handler = Effect.fn("manager.get")(function* ({ manager, watch }: Command.Command.Config.Infer<typeof params>) {
  const id = yield* manager
  yield* Session.use((client) => Watching.show(watch, Effect.flatMap(client.getManager(id), show)))
})

export const get = Command.make("get", params, handler).pipe(Command.withDescription("Show a manager"))
