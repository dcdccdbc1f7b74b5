import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import * as Params from "../../Params.ts"
import * as Session from "../../Session.ts"
import * as Waiting from "../../Waiting.ts"
import * as Lifecycle from "./Lifecycle.ts"

const params = {
  suite: Params.suite,
  timeout: Params.duration("timeout", "Longest wait; then the command ends 124 and the suite goes on").pipe(
    Flag.optional
  )
}

const handler = Effect.fn("suite.wait")(function* ({ suite, timeout }: Command.Command.Config.Infer<typeof params>) {
  const id = yield* suite
  yield* Session.use(
    (client) =>
      Effect.gen(function* () {
        const settled = yield* Waiting.untilSettled(client, id, timeout)
        yield* Lifecycle.show(settled)
        yield* Waiting.endBy(settled)
      }),
    Session.longPatience
  )
})

export const wait = Command.make("wait", params, handler).pipe(
  Command.withDescription("Wait until nothing of a suite is pending; ends 0, or 5 when tasks failed or were cancelled")
)
