import { Effect, Option, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import * as Failure from "../Failure.ts"
import * as Output from "../Output.ts"
import * as Params from "../Params.ts"
import * as Screen from "../Screen.ts"
import * as Session from "../Session.ts"

const params = {
  file: Argument.String("file").pipe(Argument.withDescription("A bundle that `muster event export` has written")),
  step: Flag.Boolean("step").pipe(
    Flag.withDescription("Walk it on a terminal: n and b go on and back, t, e, @ and / jump, q ends"),
    Flag.withDefault(false)
  ),
  limit: Params.limit
}

const handler = Effect.fn("replay")(function* ({ file, limit, step }: Command.Command.Config.Infer<typeof params>) {
  const format = yield* Session.format
  const { out } = yield* Screen.Screen
  const BundleFile = yield* Effect.promise(() => import("@muster/server/BundleFile"))
  const unusable = (error: { readonly message: string }) =>
    Failure.failed(error.message, "`muster event export --suite <id>` writes one, on the cluster that has the suite")
  yield* Effect.mapError(BundleFile.verify(file), unusable)
  const events = BundleFile.events(file).pipe(Stream.mapError(unusable))
  if (step && format === "table" && out.isTerminal && process.stdin.isTTY) {
    const Interactive = yield* Effect.promise(() => import("../replay/Interactive.ts"))
    return yield* Interactive.run(yield* Stream.runCollect(events))
  }
  const { happened } = yield* Effect.promise(() => import("../replay/Stepper.ts"))
  const { view } = yield* Effect.promise(() => import("../replay/View.ts"))
  const Replay = yield* Effect.promise(() => import("@muster/domain/Replay"))
  const world = Replay.make()
  let number = 0
  const steps = Stream.map(events, (event) => {
    Replay.step(world, happened(event))
    return { number: ++number, event, state: Replay.summary(world) }
  })
  yield* Output.list(format, view, steps, Option.getOrUndefined(limit))
})

export const replay = Command.make("replay", params, handler).pipe(
  Command.withDescription(
    [
      "Replay a bundle event by event, with the state beside it, by the rules that made it.",
      "  It needs no coordinator and no database."
    ].join("\n")
  ),
  Command.withShortDescription("Replay a bundle event by event, with the state beside it"),
  Command.withExamples([
    { command: "muster replay night.jsonl.gz --step", description: "Step by step on a terminal" },
    { command: "muster replay night.jsonl.gz -o jsonl", description: "All steps, one on each line" }
  ])
)
