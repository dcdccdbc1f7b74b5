import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import * as Failure from "../../Failure.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"

const params = { directory: Params.managerDirectory }

const handler = Effect.fn("manager.id")(function* ({ directory }: Command.Command.Config.Infer<typeof params>) {
  const Identity = yield* Effect.promise(() => import("@muster/manager/Identity"))
  const ManagerConfig = yield* Effect.promise(() => import("@muster/manager/ManagerConfig"))
  const path = yield* ManagerConfig.directoryOf(Option.getOrUndefined(directory))
  const id = yield* Effect.mapError(Identity.find(path), ({ message }) => Failure.failed(message))
  yield* Screen.print(id)
})

export const id = Command.make("id", params, handler).pipe(
  Command.withDescription(
    [
      "Print the id of this machine's manager, which gets one if it never ran. A",
      "  certificate for it is made out to this id (as common name or DNS name)."
    ].join("\n")
  ),
  Command.withShortDescription("Print the id of this machine's manager")
)
