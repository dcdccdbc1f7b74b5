import { Effect, Option, Stream } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Events from "../../views/Events.ts"
import { stream } from "./Stream.ts"

const params = { stream, filter: Params.filter(["type"]), limit: Params.limit }

const handler = Effect.fn("event.list")(function* ({
  filter,
  limit,
  stream: name
}: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const types = Params.valuesOf(filter, "type")
  yield* Session.use((client) => {
    const all = client.listEvents(Option.isSome(name) ? { stream: name.value } : {})
    const wanted = types.length === 0 ? all : Stream.filter(all, ({ type }) => types.includes(type))
    return Output.list(format, Events.view, wanted, Option.getOrUndefined(limit))
  })
})

export const list = Command.make("list", params, handler).pipe(
  Command.withDescription("List stored events, oldest first: of one stream, or the whole log"),
  Command.withAlias("ls"),
  Command.withExamples([
    {
      command: "muster event list --stream suite-06a1b2c3d4e5f6g7 -o jsonl",
      description: "All that happened to a suite"
    }
  ])
)
