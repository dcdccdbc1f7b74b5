/**
 * A handler that every worker has: it returns its input. For benchmarks and for seeing whether a worker works.
 */
import { Effect, Schema } from "effect"
import type { Handler } from "@muster/domain/Handler"

/** As it ends within its call, no two of it are ever there at once. */
const concurrency = 256

export const noopHandler: Handler<"noop", Schema.Json, Schema.Json> = {
  _tag: "MusterHandler",
  name: "noop",
  input: Schema.Json,
  output: Schema.Json,
  failure: Schema.Never,
  concurrency,
  // Not through `Handler.make`: an effect that is already done needs no fiber, and this one runs in benchmarks.
  run: (input) => Effect.succeed(input)
}
