import { Effect, Option } from "effect"
import { Command } from "effect/cli"
import { ManagerState } from "@muster/domain/Manager/Spec"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Machines from "../../views/Machines.ts"
import * as Watching from "../../Watching.ts"

const params = { filter: Params.filter(["state", "tag"]), limit: Params.limit, watch: Params.watch }

const handler = Effect.fn("manager.list")(function* ({
  filter,
  limit,
  watch
}: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const states = yield* Params.choicesOf(filter, "state", ManagerState.literals)
  const tags = Params.valuesOf(filter, "tag")
  const query = { ...(states.length === 0 ? {} : { states }), ...(tags.length === 0 ? {} : { tags }) }
  yield* Session.use((client) =>
    Watching.show(
      watch,
      Output.list(format, Machines.managers, client.listManagers(query), Option.getOrUndefined(limit))
    )
  )
})

export const list = Command.make("list", params, handler).pipe(
  Command.withDescription("List the machines that are or were connected"),
  Command.withAlias("ls")
)
