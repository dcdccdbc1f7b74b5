import { Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Style from "../../Style.ts"
import * as Suites from "../../views/Suites.ts"
import * as Waiting from "../../Waiting.ts"

const params = {
  suite: Params.suite,
  interval: Params.duration("interval", "Shortest time between two lines (default 1s)", 10, 3_600_000).pipe(
    Flag.withDefault(1_000)
  )
}

const handler = Effect.fn("suite.watch")(function* ({ interval, suite }: Command.Command.Config.Infer<typeof params>) {
  const id = yield* suite
  const format = yield* Session.format
  const { out } = yield* Screen.Screen
  const paint = Style.paint(out)
  yield* Session.use(
    (client) =>
      Effect.gen(function* () {
        // On a terminal the bar says it better than lines do.
        if (format === "table" && out.isTerminal) {
          const settled = yield* Waiting.untilSettled(client, id, Waiting.noTimeout)
          yield* Screen.print(Suites.line(settled, paint))
          return yield* Waiting.endBy(settled)
        }
        yield* Stream.runForEach(client.watch(id, { interval }), (view) => {
          if (format === "table") return Screen.print(Suites.line(view, paint))
          return Screen.print(format === "ids" ? view.id : JSON.stringify(view))
        })
        yield* Waiting.endBy(yield* client.getSuite(id))
      }),
    Session.longPatience
  )
})

export const watch = Command.make("watch", params, handler).pipe(
  Command.withDescription("Show a suite and each change of it until nothing is pending")
)
