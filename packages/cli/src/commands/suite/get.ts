import { Effect } from "effect"
import { Command } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Table from "../../Table.ts"
import * as Suites from "../../views/Suites.ts"
import * as Watching from "../../Watching.ts"

const params = { suite: Params.suite, watch: Params.watch }

const handler = Effect.fn("suite.get")(function* ({ suite, watch }: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const id = yield* suite
  yield* Session.use((client) =>
    Watching.show(
      watch,
      Effect.flatMap(client.getSuite(id), (found) =>
        Output.one(format, Suites.view, found, (item, paint) =>
          Table.renderFields(
            [...Suites.fields(item, paint), ...item.managers.map((manager) => ["manager", manager] as const)],
            paint
          )
        )
      )
    )
  )
})

export const get = Command.make("get", params, handler).pipe(Command.withDescription("Show a suite"))
