import { Effect, Option, Stream } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Table from "../../Table.ts"
import * as Events from "../../views/Events.ts"
import { stream } from "./Stream.ts"

const params = { stream, filter: Params.filter(["type"]), limit: Params.limit }

const handler = Effect.fn("event.tail")(function* ({
  filter,
  limit,
  stream: name
}: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const { out } = yield* Screen.Screen
  const types = Params.valuesOf(filter, "type")
  yield* Session.use((client) => {
    const all = client.tailEvents(Option.isSome(name) ? { stream: name.value } : {})
    const wanted = types.length === 0 ? all : Stream.filter(all, ({ type }) => types.includes(type))
    const limited = Option.isSome(limit) ? Stream.take(wanted, limit.value) : wanted
    // A table would need all rows before the first; an array would never end.
    return format === "table"
      ? Stream.runForEach(limited, (event) =>
          Screen.print(Table.render(Events.view.columns, [event], { width: out.columns() }).slice(1).join("\n"))
        )
      : Output.list(format === "json" ? "jsonl" : format, Events.view, limited)
  }, Session.longPatience)
})

export const tail = Command.make("tail", params, handler).pipe(
  Command.withDescription("Show events as they are stored, until Ctrl-C")
)
