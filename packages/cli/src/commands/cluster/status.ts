import { Effect, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import * as Output from "../../Output.ts"
import * as Params from "../../Params.ts"
import * as Screen from "../../Screen.ts"
import * as Session from "../../Session.ts"
import * as Cluster from "../../views/Cluster.ts"
import * as Watching from "../../Watching.ts"

const params = {
  suites: Flag.Boolean("suites").pipe(
    Flag.withDescription("List where each suite is, in place of the coordinators"),
    Flag.withDefault(false)
  ),
  watch: Params.watch
}

const handler = Effect.fn("cluster.status")(function* ({ suites, watch }: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const show = Effect.fnUntraced(function* (client: Session.Client) {
    const status = yield* client.cluster({ suites })
    if (suites) {
      yield* Output.list(format, Cluster.suites, Stream.fromIterable(status.suites))
      const leftOut = status.openSuites - status.suites.length
      if (leftOut > 0) yield* Screen.note(`the newest ${status.suites.length} are shown; ${leftOut} older ones are not`)
    } else yield* Output.list(format, Cluster.coordinators, Stream.fromIterable(status.coordinators))
    const { held, total } = status.shards
    if (held < total)
      yield* Screen.note(`${total - held} of ${total} shards are held by nobody: they are being taken over`)
  })
  yield* Session.use((client) => Watching.show(watch, show(client)))
})

export const status = Command.make("status", params, handler).pipe(
  Command.withDescription("Coordinators, the shards they hold, who leads what and since when")
)
