import { Effect, Option, Schema } from "effect"
import { Command } from "effect/cli"
import { ManagerId } from "@muster/domain/Manager/Id"
import * as Failure from "../../Failure.ts"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Machines from "../../views/Machines.ts"
import * as Watching from "../../Watching.ts"

const params = { filter: Params.filter(["manager"]), limit: Params.limit, watch: Params.watch }

const isManagerId = Schema.is(ManagerId)

const handler = Effect.fn("worker.list")(function* ({
  filter,
  limit,
  watch
}: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const [manager, another] = Params.valuesOf(filter, "manager")
  if (another !== undefined) return yield* Failure.usage("--filter takes manager=… once")
  if (manager !== undefined && !isManagerId(manager)) return yield* Params.noManager(manager)
  const query = manager === undefined ? {} : { managerId: manager }
  yield* Session.use((client) =>
    Watching.show(watch, Output.list(format, Machines.workers, client.listWorkers(query), Option.getOrUndefined(limit)))
  )
})

export const list = Command.make("list", params, handler).pipe(
  Command.withDescription("List worker processes"),
  Command.withAlias("ls")
)
